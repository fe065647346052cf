"""Target accounts: registering and editing them, and what each Region answers."""

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody
from drportal.actor import Actor
from drportal.adminkit import actions, sharing
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from protection.admin.staging_of_target import StagingOfTarget
from protection.admin.tones import region_badge
from protection.admin.validating import ValidatingAdmin, validated_in_short
from protection.choices import RegionStatus
from protection.models import AccountRegion, TargetAccount
from protection.permissions import AccountPermission
from protection.selectors import STALE_AFTER, accounts_for
from protection.services import accounts, validation


class RegisterForm(PortalForm):
    """A new account. The external id is made here; later only the role's template shows it."""

    account_id = forms.CharField(label="Account id", help_text="12 digits.")
    name = forms.CharField(max_length=64)
    is_hub = forms.BooleanField(
        label="This is the hub: the account that the portal runs in", required=False
    )
    role_arn = forms.CharField(
        label="Role ARN",
        required=False,
        help_text="Empty: the role of the portal's own template. The hub has none.",
    )
    external_id = forms.CharField(
        label="External id",
        required=False,
        help_text="The role's trust policy must ask for it. The role's template, which you can "
        "download once the account is saved, does. Nothing else shows it again. The hub has none.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class EditForm(PortalForm):
    """An account's name, role, external id and whether it is watched."""

    name = forms.CharField(max_length=64)
    active = forms.BooleanField(label="Watched by syncs", required=False)
    role_arn = forms.CharField(label="Role ARN", required=False)
    external_id = forms.CharField(
        label="New external id",
        required=False,
        help_text="Empty: the present one stays. It is not shown.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@admin.register(TargetAccount, site=site)
class TargetAccountAdmin(StagingOfTarget, ValidatingAdmin):
    """The accounts whose servers the portal recovers."""

    icon, section, place = "cloud", "Protection", 30
    can = frozenset({"add", "change", "delete", "share", "history"})
    page_template = "protection/account.html"
    shared_permissions = (
        ("view_targetaccount", "See"),
        ("change_targetaccount", "Edit"),
        ("delete_targetaccount", "Delete"),
        ("share_targetaccount", "Share"),
    )
    list_display = (
        "name",
        "account_id",
        "watched",
        "validated",
        "regions_shown",
        "servers_shown",
        "listed",
    )
    list_filter = ("active", "is_hub")
    search_fields = ("name", "account_id")
    ordering = ("name", "account_id")
    actions = ("watch", "stop_watching")

    def visible_to(self, user: Anybody) -> QuerySet[TargetAccount]:
        return accounts_for(user)

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        regions = AccountRegion.objects.filter(account__in=[row.pk for row in rows])
        by_account: dict[Any, list[AccountRegion]] = {}
        for region in regions.order_by("region"):
            by_account.setdefault(region.account_id, []).append(region)
        latest = validation.latest_of(rows)
        for row in rows:
            row.region_rows = by_account.get(row.pk, [])
            row.latest_validation = latest.get(row.pk)

    @admin.display(description="Watched", ordering="active")
    def watched(self, account: TargetAccount) -> str:
        hub = " (hub)" if account.is_hub else ""
        return f"yes{hub}" if account.active else f"no{hub}"

    @admin.display(description="Validated", ordering="last_validated_at")
    def validated(self, account: Any) -> str:
        return validated_in_short(account.last_validated_at, account.latest_validation)

    @admin.display(description="Regions")
    def regions_shown(self, account: Any) -> str:
        return regions_in_short(account.region_rows)

    @admin.display(description="Servers")
    def servers_shown(self, account: Any) -> str:
        counts = [row.server_count for row in account.region_rows]
        known = [count for count in counts if count is not None]
        return str(sum(known)) if known else "unknown"

    @admin.display(description="Oldest listing")
    def listed(self, account: Any) -> str:
        used = [row for row in account.region_rows if row.listed_at or row.status in _FAILING]
        times = [row.listed_at for row in used]
        if not times or None in times:
            return age(None)
        return age(min(times), stale_after=STALE_AFTER)

    @admin.action(permissions=["change"], description="Watch again")
    def watch(self, request: HttpRequest, ticked: QuerySet[TargetAccount]) -> None:
        self._set_active(request, ticked, active=True, done="Accounts watched again")

    @admin.action(permissions=["change"], description="Stop watching")
    def stop_watching(self, request: HttpRequest, ticked: QuerySet[TargetAccount]) -> None:
        self._set_active(request, ticked, active=False, done="Accounts no longer watched")

    def _set_active(
        self, request: HttpRequest, ticked: QuerySet[Any], *, active: bool, done: str
    ) -> None:
        actor = self.actor(request)
        actions.run(
            self,
            request,
            ticked,
            permission=AccountPermission.CHANGE,
            service=lambda account: accounts.edit(account, active=active, actor=actor),
            done=done,
        )

    @override
    def page_buttons(self, request: HttpRequest, obj: TargetAccount) -> list[dict[str, Any]]:
        link = f"{reverse('admin-capacity')}?account={obj.account_id}"
        return [*super().page_buttons(request, obj), {"label": "Capacity", "link": link}]

    @override
    def page_context(self, request: HttpRequest, obj: TargetAccount) -> dict[str, Any]:
        rows = obj.regions.order_by("region")
        return {
            **super().page_context(request, obj),
            "regions": [
                {
                    "row": row,
                    "badge": region_badge(row),
                    "listed": age(row.listed_at, stale_after=STALE_AFTER),
                    "checked": age(row.checked_at),
                }
                for row in rows
            ],
        }

    def form_for(self, request: HttpRequest, obj: TargetAccount | None) -> PortalForm:
        data = request.POST if request.method == "POST" else None
        if obj is None:
            return RegisterForm(data, initial={"external_id": secrets.token_urlsafe(24)})
        initial = {"name": obj.name, "active": obj.active, "role_arn": obj.role_arn}
        form = EditForm(data, initial=initial)
        if obj.is_hub:
            del form.fields["role_arn"], form.fields["external_id"]
        return form

    def save(
        self, request: HttpRequest, form: PortalForm, obj: TargetAccount | None
    ) -> TargetAccount:
        said = dict(form.cleaned_data)
        actor = self.actor(request)
        if obj is None:
            if said["is_hub"]:
                said["external_id"] = ""
            return accounts.register(**said, actor=actor)
        if not said.get("external_id"):
            said.pop("external_id", None)
        return accounts.edit(obj, **said, actor=actor)

    def remove(self, obj: TargetAccount, *, actor: Actor) -> None:
        accounts.delete(obj, actor=actor)

    def shared(self, obj: TargetAccount, *, change: sharing.Change, actor: Actor) -> None:
        record(
            "protection.account.shared",
            actor=actor,
            subject=obj,
            holder=str(change.holder),
            given=sorted(change.given),
            taken=sorted(change.taken),
        )


_NOT_IN_USE = {
    RegionStatus.NOT_INITIALIZED,
    RegionStatus.REGION_NOT_OPTED_IN,
    RegionStatus.REGION_NOT_ENABLED,
}
_FAILING = set(RegionStatus) - _NOT_IN_USE - {RegionStatus.ACTIVE, RegionStatus.UNKNOWN}


def regions_in_short(rows: Sequence[AccountRegion]) -> str:
    """How many Regions answer, do not answer, were never asked, and do not use DRS."""
    counted = Counter(_sort_of(row) for row in rows)
    words = (
        ("active", "active", Tone.GOOD),
        ("failing", "not answering", Tone.BAD),
        ("unknown", "never asked", Tone.UNSURE),
        ("unused", "without DRS", Tone.PLAIN),
    )
    shown = [
        (badge(f"{counted[sort]} {word}", tone),) for sort, word, tone in words if counted[sort]
    ]
    return format_html_join(" ", "{}", shown) if shown else "none"


def _sort_of(row: AccountRegion) -> str:
    if row.status == RegionStatus.ACTIVE:
        return "active"
    if row.status == RegionStatus.UNKNOWN:
        return "unknown"
    return "unused" if row.status in _NOT_IN_USE and row.listed_at is None else "failing"
