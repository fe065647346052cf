"""The staging accounts on a target account's page: adding, removing and discovering them."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html_join

from drportal.adminkit import confirm
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.widgets import Tone, age, badge
from drportal.errors import DomainError
from protection.admin.recorded import RecordedAdmin
from protection.admin.tones import extension_badge
from protection.choices import ExtensionState, SyncKind
from protection.models import StagingAccount, StagingServer, TargetAccount
from protection.rules.roles import new_external_id
from protection.selectors import accounts_for, last_sync, staging_accounts_for
from protection.services import staging, staging_discovery

if TYPE_CHECKING:
    _Page = RecordedAdmin
else:
    _Page = object


class AddForm(PortalForm):
    """A new staging account. The external id is made here, because it is never shown again."""

    account_id = forms.CharField(label="Account id", help_text="12 digits.")
    name = forms.CharField(max_length=64, required=False)
    role_arn = forms.CharField(
        label="Role ARN",
        required=False,
        help_text="Empty: the role of the portal's own template.",
    )
    external_id = forms.CharField(
        label="External id",
        required=False,
        help_text="Copy it into the role's trust policy now: it is not shown again. Leave it empty "
        "for an account that serves another target already.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class StagingOfTarget(_Page):
    """What the page of a target account has of its staging accounts. Comes before the page's own
    base, so that its addresses are added.
    """

    def more_urls(self) -> list[URLPattern]:
        return [
            *super().more_urls(),
            self.url("<str:object_id>/staging/add/", self.add_staging_view, "add_staging"),
            self.url(
                "<str:object_id>/staging/discover/", self.discover_staging_view, "discover_staging"
            ),
            self.url("<str:object_id>/staging/sync/", self.sync_staging_view, "sync_staging"),
            self.url(
                "<str:object_id>/staging/<str:account_id>/remove/",
                self.remove_staging_view,
                "remove_staging",
            ),
        ]

    def page_context(self, request: HttpRequest, obj: TargetAccount) -> dict[str, Any]:
        return {**super().page_context(request, obj), **self._staging_context(request, obj)}

    def _staging_context(self, request: HttpRequest, target: TargetAccount) -> dict[str, Any]:
        may_change = self.has_change_permission(request, target)
        counts = _counts(target)
        links = {"add": "add_staging", "sync": "sync_staging"} if may_change else {}
        return {
            "staging": [
                {
                    "account": linked,
                    "link": reverse("admin:protection_stagingaccount_change", args=[linked.pk]),
                    "servers": in_short(counts.get(linked.pk, Counter())),
                    "validated": age(linked.last_validated_at),
                    "remove": self._staging_link(target, linked) if may_change else "",
                }
                for linked in target.staging_accounts.order_by("name", "account_id")
            ],
            "staging_synced": synced(),
            "staging_discover": self.link("discover_staging", target),
            **{f"staging_{name}": self.link(page, target) for name, page in links.items()},
        }

    def add_staging_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form for a new staging account of the target."""
        target = self.found(request, object_id, "change")
        filled = {"external_id": new_external_id(), "account_id": request.GET.get("account", "")}
        form = AddForm(request.POST if request.method == "POST" else None, initial=filled)
        if request.method == "POST" and form.is_valid():
            try:
                made = staging.add(target, **form.cleaned_data, actor=self.actor(request))
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=target)
                form.refuse(error)
            else:
                self.message_user(request, f"{made} was added.", messages.SUCCESS)
                return HttpResponseRedirect(self.link("change", target))
        title = f"Add a staging account of {target}"
        back = self.link("change", target)
        return self.render(
            request, self.form_template, obj=target, title=title, form=form, back=back
        )

    def remove_staging_view(
        self, request: HttpRequest, object_id: str, account_id: str
    ) -> HttpResponse:
        """Ask, then let a staging account serve the target no more."""
        target = self.found(request, object_id, "change")
        linked = target.staging_accounts.filter(account_id=account_id).first()
        if linked is None:
            raise Http404("The target has no such staging account.")

        def act(_: dict[str, Any]) -> HttpResponse:
            staging.remove(target, linked, actor=self.actor(request))
            self.message_user(request, f"{linked} was removed.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", target))

        question = confirm.Question(
            title=f"Remove {linked}",
            text=f"No more servers of {linked} are extended into {target}. Those that were "
            "extended stay, in AWS and in the inventory.",
            verb="Remove",
        )
        return confirm.confirm(self, request, target, question, act)

    def sync_staging_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then ask a worker for the staging sync."""
        target = self.found(request, object_id, "change")

        def act(_: dict[str, Any]) -> HttpResponse:
            staging.ask_for_sync(target, actor=self.actor(request))
            text = "A worker was asked for a staging sync. What it did is among the sync runs."
            self.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", target))

        question = confirm.Question(
            title=f"Run the sync now: {SyncKind.STAGING.label}",
            text=f"Servers of the staging accounts of {target} that may be extended are extended, "
            "and those that wait for their next try are tried now.",
            verb="Run the sync",
            danger=False,
        )
        return confirm.confirm(self, request, target, question, act)

    def discover_staging_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Once asked for by POST, what AWS knows of staging accounts that the target lacks."""
        target = self.found(request, object_id)
        told = None
        if request.method == "POST":
            told = staging_discovery.discover(target, candidates=_candidates(request))
        add = self.has_change_permission(request, target)
        return self.render(
            request,
            "protection/staging_discovery.html",
            obj=target,
            title=f"Discover staging accounts of {target}",
            told=told,
            found=[
                {
                    "account": found,
                    "regions": ", ".join(sorted(found.regions)),
                    "noticed": _noticed(found),
                    "add": f"{self.link('add_staging', target)}?account={found.account_id}"
                    if add
                    else "",
                }
                for found in (told.found if told else ())
            ],
            back=self.link("change", target),
        )

    def _staging_link(self, target: TargetAccount, linked: StagingAccount) -> str:
        name = f"{self.admin_site.name}:protection_targetaccount_remove_staging"
        return reverse(name, args=[target.pk, linked.account_id])


def in_short(counts: "Counter[tuple[str, bool]]") -> str:
    """How many servers stand how, by (state, whether something is wrong with it)."""
    shown = [
        (extension_badge(state, broken=broken, count=number),)
        for (state, broken), number in sorted(counts.items())
    ]
    return format_html_join(" ", "{}", shown) if shown else "none known"


def counted(
    servers: Iterable[tuple[Any, str, bool, int]],
) -> "dict[Any, Counter[tuple[str, bool]]]":
    """(staging account, state, whether it is broken, how many) as a counter for each account."""
    found: dict[Any, Counter[tuple[str, bool]]] = {}
    for account, state, broken, number in servers:
        found.setdefault(account, Counter())[state, broken] += number
    return found


def synced() -> str:
    """How the last staging sync went, and when: as old is what is shown of staging servers."""
    run = last_sync(SyncKind.STAGING)
    if run is None:
        return badge("never ran", Tone.UNSURE)
    shown = [(badge(run.get_state_display(), Tone.PLAIN),), (age(run.started_at),)]
    return format_html_join(" ", "{}", shown)


def _counts(target: TargetAccount) -> "dict[Any, Counter[tuple[str, bool]]]":
    servers = StagingServer.objects.filter(link__target=target)
    by_state = servers.order_by().values_list("link__staging", "state", "message")
    rows = by_state.annotate(number=Count("pk"))
    return counted(
        (account, state, state == ExtensionState.EXTENDED and bool(message), number)
        for account, state, message, number in rows
    )


def _candidates(request: HttpRequest) -> list[str]:
    seen = staging_accounts_for(request.user).order_by().values_list("account_id", flat=True)
    targets = accounts_for(request.user).order_by().values_list("account_id", flat=True)
    return [*seen, *targets]


def _noticed(found: staging_discovery.Found) -> str:
    ways = (
        (found.has_extended, "servers that are extended"),
        (found.in_inventory and not found.has_extended, "servers in the inventory"),
        (found.has_extensible, "servers that can be extended"),
    )
    return ", ".join(words for noticed, words in ways if noticed)
