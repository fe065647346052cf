"""Staging accounts: each with its servers, how they stand towards its targets, and why."""

from collections import Counter
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from typing_extensions import override

from drportal.access import Anybody
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import age
from protection.admin.staging_of_target import counted, in_short, synced
from protection.admin.tones import extension_badge, region_badge
from protection.admin.validating import ValidatingAdmin
from protection.choices import ExtensionState, RegionStatus
from protection.models import AccountRegion, StagingAccount, StagingLink, StagingServer
from protection.selectors import accounts_for, may_change_staging, staging_accounts_for
from protection.services import staging

_MOST_SHOWN = 500
# What a person has to do something about comes first.
_ORDER = (
    ExtensionState.FAILED,
    ExtensionState.HELD_BACK,
    ExtensionState.UNKNOWN,
    ExtensionState.FOUND,
    ExtensionState.EXTENDED,
)


class EditForm(PortalForm):
    """A staging account's name, role and external id, for every target that it serves."""

    name = forms.CharField(max_length=64)
    role_arn = forms.CharField(label="Role ARN")
    external_id = forms.CharField(
        label="New external id",
        required=False,
        help_text="Empty: the present one stays. It is not shown.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@admin.register(StagingAccount, site=site)
class StagingAccountAdmin(ValidatingAdmin):
    """Accounts whose servers are recovered in a target account. They are added on its page."""

    icon, section, place = "warehouse", "Protection", 31
    can = frozenset({"change", "history"})
    page_template = "protection/staging_account.html"
    list_display = ("name", "account_id", "serves", "servers_shown", "validated")
    search_fields = ("name", "account_id")
    ordering = ("name", "account_id")

    def visible_to(self, user: Anybody) -> QuerySet[StagingAccount]:
        return staging_accounts_for(user)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return isinstance(obj, StagingAccount) and may_change_staging(request.user, obj)

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        links = self._links(request).filter(staging__in=[row.pk for row in rows])
        serves: dict[Any, list[str]] = {}
        for link in links:
            serves.setdefault(link.staging_id, []).append(str(link.target))
        servers = StagingServer.objects.filter(link__in=links).order_by()
        totals = servers.values_list("link__staging", "state", "message")
        counts = counted(
            (account, state, _broken(state, message), number)
            for account, state, message, number in totals.annotate(number=Count("pk"))
        )
        for row in rows:
            row.serves_targets = serves.get(row.pk, [])
            row.server_counts = counts.get(row.pk, Counter())

    @admin.display(description="Serves")
    def serves(self, account: Any) -> str:
        return ", ".join(account.serves_targets) or "targets that you may not see"

    @admin.display(description="Servers")
    def servers_shown(self, account: Any) -> str:
        return in_short(account.server_counts)

    @admin.display(description="Last validated", ordering="last_validated_at")
    def validated(self, account: StagingAccount) -> str:
        return age(account.last_validated_at)

    @override
    def page_context(self, request: HttpRequest, obj: StagingAccount) -> dict[str, Any]:
        links = list(self._links(request).filter(staging=obj))
        rows = StagingServer.objects.filter(link__in=links).select_related("link__target")
        servers = sorted(rows, key=lambda row: (_ORDER.index(ExtensionState(row.state)), str(row)))
        return {
            **super().page_context(request, obj),
            "links": [
                {
                    "target": link.target,
                    "link": reverse("admin:protection_targetaccount_change", args=[link.target_id]),
                    "added": age(link.added_at),
                    "added_by": link.added_by,
                }
                for link in links
            ],
            "servers": [
                {
                    "row": row,
                    "badge": extension_badge(row.state, broken=_broken(row.state, row.message)),
                    "tried": age(row.tried_at),
                }
                for row in servers[:_MOST_SHOWN]
            ],
            "left_out": max(0, len(servers) - _MOST_SHOWN),
            "silent": _silent(links),
            "synced": synced(),
        }

    def form_for(self, request: HttpRequest, obj: StagingAccount) -> EditForm:
        data = request.POST if request.method == "POST" else None
        return EditForm(data, initial={"name": obj.name, "role_arn": obj.role_arn})

    def save(self, request: HttpRequest, form: EditForm, obj: StagingAccount) -> StagingAccount:
        said = {name: value for name, value in form.cleaned_data.items() if value}
        return staging.edit(obj, **said, actor=self.actor(request))

    def _links(self, request: HttpRequest) -> QuerySet[StagingLink]:
        """That it serves targets which the person may see; of the others nothing is shown."""
        seen = accounts_for(request.user).order_by().values("pk")
        links = StagingLink.objects.filter(target__in=seen).select_related("target")
        return links.order_by("target__name", "pk")


def _broken(state: str, message: str) -> bool:
    return state == ExtensionState.EXTENDED and bool(message)


def _silent(links: list[StagingLink]) -> list[dict[str, Any]]:
    """The Regions of targets that do not answer: what is shown of their servers is old."""
    regions = AccountRegion.objects.filter(account__in=[link.target_id for link in links])
    silent = regions.exclude(status=RegionStatus.ACTIVE).exclude(listed_at=None)
    return [
        {"row": row, "badge": region_badge(row), "listed": age(row.listed_at)}
        for row in silent.select_related("account").order_by("account__name", "region")
    ]
