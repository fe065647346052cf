"""Executions: the list, and the page that shows one while it happens. Nothing here is a form."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern
from django.utils.html import format_html

from drportal.access import Anybody
from drportal.adminkit import confirm
from drportal.adminkit.base import PortalAdmin
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Share, Tone, age, lapse, progress
from recovery.admin import clean_ups, failbacks, terminations, tones
from recovery.admin.approvals import ApprovalPages
from recovery.admin.board import board
from recovery.admin.checking import CheckPages
from recovery.admin.clean_ups import CleanUpPages
from recovery.admin.comparisons import ComparisonPages
from recovery.admin.failback_pages import FailbackPages
from recovery.admin.job_logs import JobLogPages
from recovery.admin.reports import page
from recovery.admin.steering import (
    can_be_paused,
    can_be_steered,
    has_yet_to_launch,
    may_override,
    may_steer,
)
from recovery.engine.wording import counted
from recovery.models import Execution, Wave
from recovery.selectors import executions_for, timeline, whole, with_counts
from recovery.services import executions
from recovery.services.report_pdf import pdf_of
from recovery.services.reports import report
from recovery.states import EXECUTION, ServerState, WaveState

_REFRESH_SECONDS = 2
_MOST_EVENTS = 200


@admin.register(Execution, site=site)
class ExecutionAdmin(
    ApprovalPages, CheckPages, CleanUpPages, ComparisonPages, FailbackPages, JobLogPages
):
    """What runs and what ran."""

    icon, section, place = "play_circle", "Recovery", 20
    list_display = (
        "started",
        "plan_and_version",
        "kind_shown",
        "state_shown",
        "progress_shown",
        "requested_by",
        "lasted",
    )
    list_display_links = ("started",)
    list_filter = ("state", "kind")
    search_fields = ("plan_name", "requested_by", "reason")
    search_help_text = "Plan, person or reason"
    ordering = ("-created_at", "id")

    def visible_to(self, user: Anybody) -> QuerySet[Execution]:
        return executions_for(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        return with_counts(super().get_queryset(request))

    def more_urls(self) -> list[URLPattern]:
        return [
            self.url("<str:object_id>/live/", self.live_view, "live", repeats=True),
            self.url("<str:object_id>/report/", self.report_view, "report"),
            self.url(
                "<str:object_id>/report.pdf", self.report_pdf_view, "report_pdf", repeats=True
            ),
            self.url("<str:object_id>/cancel/", self.cancel_view, "cancel"),
            self.url("<str:object_id>/terminate/", self.terminate_view, "terminate"),
            self.url("<str:object_id>/gate/<int:position>/", self.gate_view, "gate"),
            *self.steering_urls(),
            *self.approval_urls(),
            *self.check_urls(),
            *self.clean_up_urls(),
            *self.comparison_urls(),
            *self.failback_urls(),
            *self.job_log_urls(),
        ]

    @admin.display(description="Requested", ordering="created_at")
    def started(self, execution: Execution) -> str:
        return age(execution.created_at)

    @admin.display(description="Plan", ordering="plan_name")
    def plan_and_version(self, execution: Execution) -> str:
        return f"{execution.plan_name}, version {execution.plan_version}"

    @admin.display(description="Kind", ordering="kind")
    def kind_shown(self, execution: Execution) -> str:
        return tones.kind_badge(execution.kind)

    @admin.display(description="State", ordering="state")
    def state_shown(self, execution: Execution) -> str:
        return tones.execution_badge(execution.state)

    @admin.display(description="Servers")
    def progress_shown(self, execution: Any) -> str:
        return server_progress(execution)

    @admin.display(description="Took", ordering="started_at")
    def lasted(self, execution: Execution) -> str:
        return lapse(execution.started_at, execution.finished_at)

    def object_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        context = self._live_context(request, object_id)
        return self.render(
            request,
            "recovery/execution.html",
            obj=context["execution"],
            refresh_seconds=_REFRESH_SECONDS,
            live_link=self.link("live", context["execution"]),
            **context,
        )

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that changes, for the browser to put in place of the old one."""
        context = self._live_context(request, object_id)
        return render(request, "recovery/execution_live.html", context)

    def report_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What was asked for, what came of it and how long it took, to be read and printed."""
        found = report(self.found(request, object_id))
        return self.render(
            request,
            "recovery/report.html",
            obj=found.execution,
            title=f"Report of the {found.execution}",
            page=page(found),
        )

    def report_pdf_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same as a PDF, to be filed."""
        found = self.found(request, object_id)
        self.was_read(request, found)
        answer = HttpResponse(pdf_of(report(found)), content_type="application/pdf")
        answer["Content-Disposition"] = f'attachment; filename="report-{found.pk}.pdf"'
        return answer

    def _live_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        found = self.found(request, object_id)
        execution = whole(Execution.objects.filter(pk=found.pk)).get()
        events = timeline(execution)
        return {
            "execution": execution,
            "board": board(execution),
            "events": events[:_MOST_EVENTS],
            "event_count": events.count(),
            "may_steer": may_steer(request, execution),
            "may_override": may_override(request, execution),
            "cancellable": can_be_steered(execution),
            "pausable": can_be_paused(execution),
            "appliable": has_yet_to_launch(execution),
            "plan_link": self._plan_link(request, execution),
            "approval": self.approval_panel(request, execution),
            "gates": self.gate_panels(request, execution),
            "termination": terminations.panel(request, execution),
            "clean_up": clean_ups.panel(request, execution),
            "failback": failbacks.panel(request, execution),
        }

    def _plan_link(self, request: HttpRequest, execution: Execution) -> str:
        plan = execution.plan
        if plan is None:
            return ""
        page: PortalAdmin = self.admin_site.get_model_admin(type(plan))
        return page.link("change", plan) if page.has_view_permission(request, plan) else ""

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then request that the execution be cancelled."""
        execution = self.steerable(request, object_id)

        def act(said: dict[str, Any]) -> HttpResponse:
            executions.cancel(execution, reason=said["reason"], actor=self.actor(request))
            self.message_user(request, "Cancelling was requested.", messages.WARNING)
            return HttpResponseRedirect(self.link("change", execution))

        question = confirm.Question(
            title=f"Cancel the {execution}",
            text="Nothing more will be launched. What DRS launches already goes on, and is watched "
            "to its end. Instances that were launched stay.",
            verb=f"Cancel the {execution.get_kind_display().lower()}",
            reason="Reason",
        )
        return confirm.confirm(self, request, execution, question, act)

    def has_terminate_permission(self, request: HttpRequest, obj: Execution) -> bool:
        """May the person clean up after this execution?"""
        return terminations.may_terminate(request, obj)

    def terminate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then request that what the execution launched be terminated."""
        return terminations.ask(self, request, self.found(request, object_id, "terminate"))

    def gate_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Ask, then open the gate before a wave."""
        execution = self.steerable(request, object_id)
        wave = execution.waves.filter(position=position, gate=True).first()
        if wave is None:
            raise Http404("There is no gate before such a wave.")

        def act(said: dict[str, Any]) -> HttpResponse:
            executions.resume(
                execution, position=position, comment=said["reason"], actor=self.actor(request)
            )
            self.message_user(request, f"The gate before {wave} is open.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", execution))

        waits = wave.state == WaveState.WAITING and wave.gate_opened_at is None
        question = confirm.Question(
            title=f"Open the gate before {wave}",
            text=_what_opening_does(wave) if waits else "This wave does not wait at its gate now.",
            verb="Open the gate",
            danger=not waits,
            reason="Comment",
            template="recovery/gate.html",
            context={"wave": wave},
        )
        return confirm.confirm(self, request, execution, question, act)


def _what_opening_does(wave: Wave) -> str:
    when = "" if wave.execution.pause_requested_at is None else ", once the pause is lifted"
    count = wave.servers.filter(state=ServerState.PENDING).count()
    return f"{counted(count, 'server')} will be launched{when}."


def server_progress(execution: Any) -> str:
    """The bar of an execution fetched with `selectors.with_counts`."""
    launched, bad = execution.server_launched, execution.server_failed
    left_out = execution.server_left_out
    rest = execution.server_total - launched - bad - left_out
    ended = execution.state in EXECUTION.terminal
    return format_html(
        "{}",
        progress(
            [
                Share(launched, "launched", Tone.GOOD),
                Share(bad, "not well", Tone.BAD),
                Share(left_out, "left out", Tone.PLAIN),
                Share(rest, "not launched" if ended else "to come", Tone.PLAIN),
            ]
        ),
    )
