"""Drill schedules: the list, the form, and the page with what is to come and what became of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from typing_extensions import override

from drportal.access import Anybody, allowed, allowed_anywhere
from drportal.actor import Actor
from drportal.adminkit import confirm
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, badge
from drportal.errors import Forbidden, InvalidInput
from protection.admin.recorded import RecordedAdmin
from recovery.admin.drill_schedule_form import ScheduleForm
from recovery.engine.occurrences import Repeats
from recovery.models import DrillOccurrence, DrillSchedule, RecoveryPlan
from recovery.models.drill_schedules import OccurrenceState
from recovery.permissions import PlanPermission
from recovery.selectors import plans_for
from recovery.services import drill_schedules
from recovery.services.drill_rights import missing_right, must_may_schedule
from recovery.services.drill_schedules import ScheduleSpec
from recovery.services.drill_times import both, upcoming, window_of

_SHOWN = 5
_LATEST = 50
_TONES = {
    OccurrenceState.SCHEDULED: Tone.PLAIN,
    OccurrenceState.WAITING_FOR_APPROVAL: Tone.WAIT,
    OccurrenceState.STARTED: Tone.GOOD,
    OccurrenceState.REFUSED: Tone.BAD,
    OccurrenceState.MISSED: Tone.BAD,
    OccurrenceState.SKIPPED: Tone.PLAIN,
}


@admin.register(DrillSchedule, site=site)
class DrillScheduleAdmin(RecordedAdmin):
    """When plans are drilled, and what became of each time."""

    icon, section, place = "event_repeat", "Recovery", 22
    can = frozenset({"add", "change", "delete", "history"})
    page_template = "recovery/drill_schedule.html"
    list_display = ("plan", "when", "next", "approved_by", "cleans_up", "state", "last")
    list_display_links = ("plan",)
    list_filter = ("enabled", "repeats")
    search_fields = ("plan__name", "made_by", "reason")
    list_select_related = ("plan",)
    ordering = ("plan__name", "created_at", "id")

    def visible_to(self, user: Anybody) -> QuerySet[DrillSchedule]:
        return DrillSchedule.objects.filter(plan__in=plans_for(user).order_by())

    @override
    def may(self, request: HttpRequest, action: str, obj: Model | None = None) -> bool:
        # Whoever may start drills of a plan says when they start.
        if isinstance(obj, DrillSchedule):
            return allowed(request.user, PlanPermission.DRILL, obj.plan)
        among = RecoveryPlan.objects.all()
        return allowed_anywhere(request.user, PlanPermission.DRILL, among=among)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None:
            return self.visible_to(request.user).filter(pk=obj.pk).exists()
        return plans_for(request.user).exists() or allowed(request.user, PlanPermission.VIEW)

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def has_drill_permission(self, request: HttpRequest, obj: DrillSchedule) -> bool:
        """May the person say what becomes of its times?"""
        return self.may(request, "drill", obj)

    def more_urls(self) -> list[URLPattern]:
        found = [
            self.url(f"<str:object_id>/{path}/", view, name)
            for path, view, name in (
                ("disable", self.disable_view, "disable"),
                ("enable", self.enable_view, "enable"),
                ("skip", self.skip_view, "skip_next"),
                ("run", self.run_view, "run_now"),
            )
        ]
        occurrence = "<str:object_id>/occurrences/<uuid:occurrence>"
        return [
            *found,
            self.url(f"{occurrence}/approve/", self.approve_view, "approve"),
            self.url(f"{occurrence}/decline/", self.decline_view, "decline"),
        ]

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        super().prepare(request, rows)
        settled = DrillOccurrence.objects.filter(schedule__in=rows, finished_at__isnull=False)
        newest = settled.order_by("schedule_id", "-due_at").distinct("schedule_id")
        found = {row.schedule_id: row for row in newest}
        for row in rows:
            row.latest = found.get(row.pk)

    @admin.display(description="When")
    def when(self, schedule: DrillSchedule) -> str:
        return in_words(schedule)

    @admin.display(description="Next")
    def next(self, schedule: DrillSchedule) -> str:
        found = upcoming(schedule, 1)
        return both(found[0], schedule.zone) if found else "none"

    @admin.display(description="Approved by one of")
    def approved_by(self, schedule: DrillSchedule) -> str:
        return ", ".join(schedule.approvers) or "nobody has to"

    @admin.display(description="Cleaned up")
    def cleans_up(self, schedule: DrillSchedule) -> str:
        hours = schedule.clean_up_after_hours
        return f"after {hours} h" if hours else "by hand"

    @admin.display(description="State")
    def state(self, schedule: DrillSchedule) -> str:
        return badge("Enabled", Tone.BUSY) if schedule.enabled else badge("Disabled", Tone.PLAIN)

    @admin.display(description="Last")
    def last(self, schedule: Any) -> str:
        return occurrence_badge(schedule.latest) if schedule.latest else "none yet"

    @override
    def page_context(self, request: HttpRequest, obj: DrillSchedule) -> dict[str, Any]:
        rows = obj.occurrences.select_related("execution").order_by("-due_at", "id")[:_LATEST]
        return {
            "when": in_words(obj),
            "state": self.state(obj),
            "missing_right": missing_right(obj),
            "upcoming": [both(at, obj.zone) for at in upcoming(obj, _SHOWN)],
            "occurrences": [self._line(request, obj, row) for row in rows],
        }

    def _line(
        self, request: HttpRequest, schedule: DrillSchedule, row: DrillOccurrence
    ) -> dict[str, Any]:
        waits = row.state == OccurrenceState.WAITING_FOR_APPROVAL
        row.schedule = schedule
        return {
            "row": row,
            "badge": occurrence_badge(row),
            "due": both(row.due_at, schedule.zone),
            "until": window_of(row),
            "waits": waits,
            "approve": self._link_of(row, "approve") if waits and may_decide(request, row) else "",
            "decline": self._link_of(row, "decline") if waits and may_decide(request, row) else "",
        }

    def _link_of(self, row: DrillOccurrence, name: str) -> str:
        full = f"{self.admin_site.name}:recovery_drillschedule_{name}"
        return reverse(full, args=[row.schedule_id, row.pk])

    @override
    def page_buttons(self, request: HttpRequest, obj: DrillSchedule) -> list[dict[str, Any]]:
        if not self.has_drill_permission(request, obj):
            return []
        run = {"label": "Run now", "link": self.link("run_now", obj), "name": "run"}
        if not obj.enabled:
            enable = {"label": "Enable", "link": self.link("enable", obj), "name": "enable"}
            return [run, enable]
        skip = {"label": "Skip the next", "link": self.link("skip_next", obj), "name": "skip"}
        disable = {"label": "Disable", "link": self.link("disable", obj), "name": "disable"}
        return [run, skip, disable]

    def disable_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then start nothing by this schedule any more."""
        schedule = self.found(request, object_id, "drill")
        return self._asked(
            request,
            schedule,
            "Disable",
            "Nothing is started by it until it is enabled again. What was announced, or approved, "
            "and has not started is taken back.",
            lambda said: drill_schedules.disable(schedule, **said),
        )

    def enable_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then go on with the next time."""
        schedule = self.found(request, object_id, "drill")
        _must_may(request, schedule.plan, cleans_up=schedule.clean_up_after_hours is not None)
        return self._asked(
            request,
            schedule,
            "Enable",
            "Its drills start by your right from now on. What passed meanwhile is not made up for.",
            lambda said: drill_schedules.enable(schedule, **said),
        )

    def skip_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let the next drill not start."""
        schedule = self.found(request, object_id, "drill")
        return self._asked(
            request,
            schedule,
            "Skip the next drill of",
            "The next drill does not start; the one after does.",
            lambda said: drill_schedules.skip_next(schedule, **said),
        )

    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then have a drill started apart from the times."""
        schedule = self.found(request, object_id, "drill")
        approved = " Once one of those who may has approved it." if schedule.approvers else ""
        return self._asked(
            request,
            schedule,
            "Run now",
            "A drill is started as the schedule says, after a preflight." + approved,
            lambda said: drill_schedules.run_now(schedule, **said),
        )

    def approve_view(self, request: HttpRequest, object_id: str, occurrence: UUID) -> HttpResponse:
        """Ask, then let a drill start at its time."""
        schedule, row = self._waiting(request, object_id, occurrence)
        return self._asked(
            request,
            schedule,
            f"Approve the {row}:",
            "It starts at its time, if its preflight lets it.",
            lambda said: drill_schedules.approve(row, comment=said["reason"], actor=said["actor"]),
            label="Comment",
            danger=False,
        )

    def decline_view(self, request: HttpRequest, object_id: str, occurrence: UUID) -> HttpResponse:
        """Ask, then let a drill not start."""
        schedule, row = self._waiting(request, object_id, occurrence)
        return self._asked(
            request,
            schedule,
            f"Decline the {row}:",
            "It does not start; the one after is not touched.",
            lambda said: drill_schedules.decline(row, **said),
        )

    def _waiting(
        self, request: HttpRequest, object_id: str, occurrence: UUID
    ) -> tuple[DrillSchedule, DrillOccurrence]:
        schedule: DrillSchedule = self.found(request, object_id)
        row = schedule.occurrences.filter(pk=occurrence).first()
        if row is None:
            raise Http404("The schedule has no such time.")
        row.schedule = schedule
        # Who may decide, is whom the schedule names: the service says so.
        return schedule, row

    def _asked(
        self,
        request: HttpRequest,
        schedule: DrillSchedule,
        verb: str,
        text: str,
        service: Callable[[dict[str, Any]], object],
        *,
        label: str = "Reason",
        danger: bool = True,
    ) -> HttpResponse:
        def act(said: dict[str, Any]) -> HttpResponse:
            service({"reason": said["reason"], "actor": self.actor(request)})
            self.message_user(request, "Noted.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", schedule))

        question = confirm.Question(
            title=f"{verb} {schedule}",
            text=text,
            verb=verb.split(maxsplit=1)[0],
            danger=danger,
            reason=label,
        )
        return confirm.confirm(self, request, schedule, question, act)

    def form_for(self, request: HttpRequest, obj: DrillSchedule | None) -> PortalForm:
        data = request.POST if request.method == "POST" else None
        if obj is None:
            plan = request.GET.get("plan", "")
            return ScheduleForm(data, plans=_plans(request), initial={"plan": plan})
        names = ("repeats", "every", "first_on", "zone", "clean_up_after_hours", "reason")
        said = {name: getattr(obj, name) for name in (*names, "enabled")}
        said |= {"at": obj.at.strftime("%H:%M"), "approvers": ", ".join(obj.approvers)}
        form = ScheduleForm(data, plans=[], initial=said)
        del form.fields["plan"]
        return form

    def save(
        self, request: HttpRequest, form: PortalForm, obj: DrillSchedule | None
    ) -> DrillSchedule:
        said, actor = dict(form.cleaned_data), self.actor(request)
        named = said.pop("plan", None)
        plan = obj.plan if obj is not None else RecoveryPlan.objects.get(pk=named)
        spec = ScheduleSpec(**said)
        cleans_up = spec.clean_up_after_hours is not None
        try:
            must_may_schedule(request.user, plan, cleans_up=cleans_up)
        except Forbidden as error:
            field = "clean_up_after_hours" if cleans_up else "plan"
            raise InvalidInput.field(field, error.code, error.detail) from error
        if obj is not None:
            return drill_schedules.edit(obj, spec, actor=actor)
        return drill_schedules.create(plan, spec, actor=actor)

    def remove(self, obj: DrillSchedule, *, actor: Actor) -> None:
        drill_schedules.delete(obj, actor=actor)


def in_words(schedule: DrillSchedule) -> str:
    """When it is due, in a person's words."""
    at = f"at {schedule.at:%H:%M} {schedule.zone}"
    if schedule.repeats == Repeats.ONCE:
        return f"once, on {schedule.first_on:%Y-%m-%d} {at}"
    weekly = schedule.repeats == Repeats.WEEKLY
    what, day = ("week", "%A") if weekly else ("month", "day %d")
    often = f"every {what}" if schedule.every == 1 else f"every {schedule.every} {what}s"
    return f"{often}, {schedule.first_on.strftime(day)} {at}, from {schedule.first_on:%Y-%m-%d} on"


def occurrence_badge(row: DrillOccurrence) -> str:
    """How one time of a schedule stands."""
    state = OccurrenceState(row.state)
    return badge(state.label, _TONES[state], hint=row.message)


def may_decide(request: HttpRequest, row: DrillOccurrence) -> bool:
    """Whether the schedule names the person, and the drill is not by their own right."""
    name = request.user.get_username()
    return name in row.schedule.approvers and name != row.schedule.made_by


def _must_may(request: HttpRequest, plan: RecoveryPlan, *, cleans_up: bool) -> None:
    try:
        must_may_schedule(request.user, plan, cleans_up=cleans_up)
    except Forbidden as error:
        raise PermissionDenied from error


def _plans(request: HttpRequest) -> list[tuple[str, str]]:
    """The plans of which the person may start drills."""
    plans = plans_for(request.user, PlanPermission.DRILL).order_by("name", "id")
    return [(str(plan.pk), plan.name) for plan in plans]
