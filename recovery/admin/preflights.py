"""Preflights on the pages of plans: how ready each is, what keeps it from starting, and a button
that has everything looked at again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from drportal.access import allowed
from drportal.adminkit import confirm
from drportal.adminkit.widgets import Tone, age, badge, lapse
from protection.admin.recorded import RecordedAdmin
from recovery.admin.start_options import OptionsForm, has_options, with_query
from recovery.engine import preflight as engine
from recovery.engine.options import WHOLE, StartOptions
from recovery.engine.preflight import Check, Loss
from recovery.models import Preflight, RecoveryPlan
from recovery.permissions import PREFLIGHT
from recovery.services import executions, preflights
from recovery.services.admission import OVERRIDABLE
from recovery.states import CheckOutcome, Kind, PreflightState

_REFRESH_SECONDS = 2
_LATEST = 10
_TONES = {
    CheckOutcome.PASSED: Tone.GOOD,
    CheckOutcome.WARNING: Tone.WAIT,
    CheckOutcome.FAILED: Tone.BAD,
    CheckOutcome.UNKNOWN: Tone.UNSURE,
}
_STATE_TONES = {
    PreflightState.RUNNING: Tone.BUSY,
    PreflightState.DONE: Tone.PLAIN,
    PreflightState.ABANDONED: Tone.BAD,
}
# What an outcome means to whoever wants to start the plan.
_SAID = {
    CheckOutcome.PASSED: "Nothing stands in the way of a start.",
    CheckOutcome.WARNING: "It can be started. Read the warnings first.",
    CheckOutcome.FAILED: "It cannot be started: something is wrong.",
    CheckOutcome.UNKNOWN: "It cannot be started: something could not be found out.",
}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check in the table of a preflight."""

    check: Check
    title: str
    badge: SafeString
    about: str
    known: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A preflight as a page shows it."""

    preflight: Preflight
    part: str
    active: bool
    abandoned: bool
    badge: SafeString
    said: str
    asked: str
    took: str
    losses: Sequence[Loss]
    checks: Sequence[CheckLine]
    link: str


def shown(found: Preflight | None) -> Shown | None:
    """A preflight with its checks, what blocks first. None if there is none."""
    if found is None:
        return None
    state = PreflightState(found.state)
    checks = [engine.of_dict(kept) for kept in found.checks]
    return Shown(
        preflight=found,
        part=StartOptions.of_dict(found.options).said(),
        active=state == PreflightState.RUNNING,
        abandoned=state == PreflightState.ABANDONED,
        badge=state_badge(found),
        said=_SAID[CheckOutcome(found.outcome)] if found.outcome else "",
        asked=age(found.started_at or found.created_at, stale_after=_stale_after()),
        took=lapse(found.created_at, found.finished_at),
        losses=engine.losses(checks),
        checks=[_line(check) for check in engine.worst_first(checks)],
        link=reverse("admin:recovery_recoveryplan_preflight_shown", args=[found.plan_id, found.pk]),
    )


def state_badge(found: Preflight) -> SafeString:
    """What a preflight found; how it stands, while it has found nothing."""
    if not found.outcome:
        state = PreflightState(found.state)
        return badge(state.label, _STATE_TONES[state])
    outcome = CheckOutcome(found.outcome)
    score = "score unknown" if found.score is None else f"{found.score} of 100"
    return badge(f"{outcome.label}, {score}", _TONES[outcome])


def readiness(plan: RecoveryPlan, found: Preflight | None) -> str:
    """How ready a plan is, as a list shows it: what is not known looks like nothing else."""
    if found is None:
        return badge("Never looked at", Tone.UNSURE)
    told: SafeString = state_badge(found)
    if found.plan_version != plan.version:
        told = badge("Unknown: edited since", Tone.UNSURE)
    elif timezone.now() - (found.started_at or found.created_at) > _stale_after():
        told = badge("Unknown: too long ago", Tone.UNSURE)
    return format_html("{} {}", told, age(found.started_at, stale_after=_stale_after()))


def _stale_after() -> timedelta:
    """Two missed turns of the schedule: older facts do not say how a start would go."""
    return timedelta(minutes=2 * settings.PREFLIGHT_EVERY_MINUTES)


def _line(check: Check) -> CheckLine:
    about = [f"wave {check.wave}"] if check.wave else []
    about += [check.group] if check.group else []
    about += [f"{check.account_id}/{check.region}"] if check.account_id else []
    return CheckLine(
        check=check,
        title=engine.TITLES.get(check.code, check.code),
        badge=badge(check.outcome.label, _TONES[check.outcome]),
        about=", ".join(about) or "the whole plan",
        known=age(check.facts_at, never="not known") if check.account_id else "",
    )


class PreflightPages(RecordedAdmin):
    """What the pages of plans have of preflights."""

    @override
    def more_urls(self) -> list[URLPattern]:
        plan = "<str:object_id>"
        return [
            *super().more_urls(),
            self.url(f"{plan}/preflight/", self.preflight_view, "preflight"),
            self.url(
                f"{plan}/preflight/live/", self.preflight_live_view, "preflight_live", repeats=True
            ),
            self.url(
                f"{plan}/preflights/<uuid:preflight>/",
                self.preflight_shown_view,
                "preflight_shown",
            ),
        ]

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        super().prepare(request, rows)
        found = preflights.latest_done([row.pk for row in rows])
        for row in rows:
            row.looked_at = found.get(row.pk)

    @admin.display(description="Readiness")
    def readiness(self, plan: Any) -> str:
        return readiness(plan, plan.looked_at)

    @override
    def page_buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        offered = list(super().page_buttons(request, obj))
        if self.has_preflight_permission(request, obj):
            offered.append({"label": "Run preflight", "link": self.link("preflight", obj)})
        return offered

    @override
    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {**super().page_context(request, obj), **self.preflight_context(obj)}

    def preflight_context(
        self, plan: RecoveryPlan, options: StartOptions = WHOLE
    ) -> dict[str, Any]:
        """What a page shows of the preflights of one plan, or of just what `options` choose of it:
        how the latest stands, what the last one that was done found, and those before.
        """
        latest = preflights.latest(plan, options)
        done = preflights.last_done(plan, options)
        rows = plan.preflights.defer("checks").order_by("-created_at", "id")[:_LATEST]
        return {
            "preflight_latest": shown(latest),
            "preflight": shown(done),
            "preflight_edited": done is not None and done.plan_version != plan.version,
            "preflights": [
                {
                    "row": row,
                    "badge": state_badge(row),
                    "link": self._link_of(plan, row),
                    "part": StartOptions.of_dict(row.options).said(),
                }
                for row in rows
            ],
            "preflight_live": with_query(self.link("preflight_live", plan), options),
            "refresh_seconds": _REFRESH_SECONDS,
        }

    def has_preflight_permission(self, request: HttpRequest, obj: Any) -> bool:
        """May the person have the plan looked at?"""
        return any(allowed(request.user, permission, obj) for permission in PREFLIGHT)

    def has_override_preflight_permission(self, request: HttpRequest, obj: Any) -> bool:
        """May the person start the plan although its preflight keeps it from starting?"""
        return self.may(request, "override_preflight", obj)

    def override_context(
        self, request: HttpRequest, plan: RecoveryPlan, kind: Kind, options: StartOptions
    ) -> dict[str, Any]:
        """What the page that asks before a start offers beside starting."""
        context: dict[str, Any] = {}
        if self.has_preflight_permission(request, plan):
            link = with_query(self.link("preflight", plan), options)
            then = f"{'&' if '?' in link else '?'}kind={kind.lower()}" if options.as_dict() else ""
            context["preflight_run"] = link + then
        refusal = executions.refusal(plan, options)
        context["refused_now"] = refusal.detail if refusal else ""
        if isinstance(refusal, OVERRIDABLE) and self.has_override_preflight_permission(
            request, plan
        ):
            name = f"{self.admin_site.name}:recovery_recoveryplan_start_override"
            link = reverse(name, args=[plan.pk, kind.lower()])
            context["override_link"] = with_query(link, options)
        return context

    def preflight_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then ask a worker for a preflight."""
        plan = self.found(request, object_id, "preflight")
        options = self.chosen_options(request, plan)

        def act(_: dict[str, Any]) -> HttpResponse:
            preflights.ask(plan, options=options, actor=self.actor(request))
            text = "A worker was asked for a preflight. This page follows it."
            self.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(self._after_asking(request, plan, options))

        question = confirm.Question(
            title=f"Run a preflight of {plan}",
            text="A worker enters the plan's accounts and looks at everything that a start would "
            f"rely on. Nothing is changed there. {options.said()}".strip(),
            verb="Run the preflight",
            danger=False,
        )
        return confirm.confirm(self, request, plan, question, act)

    def preflight_live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The preflight, for the browser to put in place of what it showed."""
        plan = self.found(request, object_id)
        context = self.preflight_context(plan, self.chosen_options(request, plan))
        return render(request, "recovery/preflight.html", context)

    def preflight_shown_view(
        self, request: HttpRequest, object_id: str, preflight: UUID
    ) -> HttpResponse:
        """What one preflight found."""
        plan = self.found(request, object_id)
        found = plan.preflights.filter(pk=preflight).first()
        if found is None:
            raise Http404("The plan has no such preflight.")
        told = shown(found)
        return self.render(
            request,
            "recovery/preflight_shown.html",
            obj=plan,
            title=f"Preflight of {plan}",
            preflight=told,
            preflight_latest=told,
            preflight_edited=found.plan_version != plan.version,
        )

    def chosen_options(self, request: HttpRequest, plan: RecoveryPlan) -> StartOptions:
        """What the address of a page chooses of a plan. What cannot be read is not passed over."""
        if not has_options(request.GET):
            return WHOLE
        form = OptionsForm(plan, request.GET)
        if not form.is_valid():
            raise Http404("The address chooses what the plan does not hold.")
        return form.options()

    def _after_asking(self, request: HttpRequest, plan: RecoveryPlan, options: StartOptions) -> str:
        """Where a preflight that was asked for is followed: of a part, before its start."""
        kind = request.GET.get("kind", "")
        if not options.as_dict() or kind.upper() not in Kind.values:
            return self.link("change", plan)
        name = f"{self.admin_site.name}:recovery_recoveryplan_start"
        return with_query(reverse(name, args=[plan.pk, kind]), options)

    def _link_of(self, plan: RecoveryPlan, preflight: Preflight) -> str:
        return reverse(
            f"{self.admin_site.name}:recovery_recoveryplan_preflight_shown",
            args=[plan.pk, preflight.pk],
        )
