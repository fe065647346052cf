"""The pages on which a person steers an execution. Each asks first, and what a service refuses is
said there.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern

from drportal.access import allowed
from drportal.adminkit import confirm
from drportal.adminkit.forms import PortalForm
from drportal.errors import DomainError
from protection.admin.recorded import RecordedAdmin
from recovery.admin.wave_preflights import check_line
from recovery.models import Execution, Wave
from recovery.permissions import PlanPermission
from recovery.services import retries, steering, wave_overrides, wave_preflights, wave_settings
from recovery.services.plan_rules import named
from recovery.services.wave_preflights import checks_of
from recovery.states import EXECUTION, ServerState


def may_steer(request: HttpRequest, execution: Execution) -> bool:
    """May the person steer the execution? Through its plan, or model-wide."""
    return allowed(request.user, PlanPermission.STEER, execution.plan)


def may_override(request: HttpRequest, execution: Execution) -> bool:
    """May the person override what checks say? Through its plan, or model-wide."""
    return allowed(request.user, PlanPermission.OVERRIDE_PREFLIGHT, execution.plan)


def can_be_steered(execution: Execution) -> bool:
    """Whether there is something to steer: it has not ended, and is not to be cancelled."""
    return execution.state in EXECUTION.active and execution.cancel_requested_at is None


def can_be_paused(execution: Execution) -> bool:
    """Whether a pause, which is not requested yet, would hold anything: a wave of `whole`."""
    if execution.pause_requested_at is not None or not can_be_steered(execution):
        return False
    return any(wave.state in steering.BEFORE_LAUNCH for wave in execution.waves.all())


def has_yet_to_launch(execution: Execution) -> bool:
    """Whether waves of an execution of `whole` have yet to launch, and still may."""
    waiting = any(wave.state in steering.BEFORE_LAUNCH for wave in execution.waves.all())
    return waiting and can_be_steered(execution)


def wave_of(execution: Execution, position: int) -> Wave:
    """The wave at `position` with its servers and jobs; else 404."""
    waves = execution.waves.filter(position=position).prefetch_related("servers", "jobs")
    wave = waves.first()
    if wave is None:
        raise Http404("There is no such wave.")
    return wave


class ExtendForm(PortalForm):
    """How much more time a wave has, and why."""

    minutes = forms.IntegerField(min_value=1, max_value=steering.MOST_MINUTES, initial=30)
    reason = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


class SteeringPages(RecordedAdmin):
    """Pages of an execution for those who may steer it."""

    def steering_urls(self) -> list[URLPattern]:
        return [
            self.url("<str:object_id>/pause/", self.pause_view, "pause"),
            self.url("<str:object_id>/lift/", self.lift_view, "lift"),
            self.url("<str:object_id>/retry/<int:position>/", self.retry_view, "retry"),
            self.url("<str:object_id>/skip/<int:position>/", self.skip_view, "skip"),
            self.url(
                "<str:object_id>/skip/<int:position>/<str:server_id>/",
                self.skip_view,
                "skip_server",
            ),
            self.url("<str:object_id>/extend/<int:position>/", self.extend_view, "extend"),
            self.url("<str:object_id>/apply-config/", self.apply_view, "apply_config"),
            self.url("<str:object_id>/override/<int:position>/", self.override_view, "override"),
        ]

    def has_steer_permission(self, request: HttpRequest, obj: Execution) -> bool:
        """May the person steer this execution?"""
        return may_steer(request, obj)

    def steerable(self, request: HttpRequest, object_id: str) -> Execution:
        """The execution, if the person may steer it."""
        execution: Execution = self.found(request, object_id, "steer")
        return execution

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then request that no further wave starts."""
        execution = self.steerable(request, object_id)
        question = confirm.Question(
            title=f"Pause the {execution}",
            text="No further wave starts until somebody lifts the pause. Waves that launch go on "
            "to their end, for what DRS launches cannot be paused. Gates may be opened and timers "
            "run, but what they let start waits.",
            verb="Pause",
            danger=False,
            reason="Reason",
        )

        def act(said: dict[str, Any]) -> str:
            steering.pause(execution, reason=said["reason"], actor=self.actor(request))
            return "The pause was requested."

        return self.asked(request, execution, question, act)

    def lift_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let waves start again. No gate is opened by it."""
        execution = self.steerable(request, object_id)
        question = confirm.Question(
            title=f"Lift the pause of the {execution}",
            text="Waves start again once what they depend on has ended well. Gates stay shut.",
            verb="Lift the pause",
            danger=False,
            reason="Comment",
        )

        def act(said: dict[str, Any]) -> str:
            steering.lift_pause(execution, comment=said["reason"], actor=self.actor(request))
            return "The pause is lifted."

        return self.asked(request, execution, question, act)

    def retry_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Ask, then launch the servers of a wave that failed again."""
        execution = self.steerable(request, object_id)
        wave = wave_of(execution, position)
        servers = retries.retriable(wave)
        question = confirm.Question(
            title=f"Launch the failed servers of {wave} again",
            text="These servers are launched again in this execution. The wave gets its whole time "
            "limit again, and waves that only it blocked wait for it.",
            verb="Launch again",
            reason="Reason",
            template="recovery/servers.html",
            context={"servers": servers},
        )

        def act(said: dict[str, Any]) -> str:
            retries.retry(
                execution,
                position=position,
                server_ids=[server.server_id for server in servers],
                reason=said["reason"],
                actor=self.actor(request),
            )
            return f"Launched again: {named([server.name for server in servers])}."

        return self.asked(request, execution, question, act)

    def skip_view(
        self, request: HttpRequest, object_id: str, position: int, server_id: str = ""
    ) -> HttpResponse:
        """Ask, then leave a wave or one of its servers out."""
        execution = self.steerable(request, object_id)
        wave = wave_of(execution, position)
        servers = [row for row in wave.servers.all() if row.state == ServerState.PENDING]
        if server_id:
            servers = [row for row in servers if row.server_id == server_id]
        what = f"{servers[0]} of {wave}" if server_id and servers else str(wave)
        question = confirm.Question(
            title=f"Leave {what} out",
            text="What is left out is not launched, and counts for no verdict, critical or not. "
            "Waves that depend on a wave that is left out go on. It cannot be taken back.",
            verb="Leave out",
            reason="Reason (needed)",
            template="recovery/servers.html",
            context={"servers": servers},
        )

        def act(said: dict[str, Any]) -> str:
            chosen = [server_id] if server_id else []
            steering.leave_out(
                execution,
                position=position,
                server_ids=chosen,
                reason=said["reason"],
                actor=self.actor(request),
            )
            return f"Left out: {what}."

        return self.asked(request, execution, question, act)

    def extend_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Ask for how long, then give a wave that launches more time."""
        execution = self.steerable(request, object_id)
        wave = wave_of(execution, position)
        form = ExtendForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            wanted = {"position": position, **form.cleaned_data}
            try:
                steering.extend(execution, **wanted, actor=self.actor(request))
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=execution)
                form.refuse(error)
            else:
                said = f"{wanted['minutes']} minutes more for {wave}."
                self.message_user(request, said, messages.SUCCESS)
                return HttpResponseRedirect(self.link("change", execution))
        until = f"{wave.deadline_at:%Y-%m-%d %H:%M:%S} UTC" if wave.deadline_at else "not set"
        question = confirm.Question(
            title=f"Give {wave} more time",
            text=f"What has not ended when its time is up is unknown. It ends {until} now.",
            verb="Extend",
            danger=False,
        )
        return self.render(
            request,
            question.template,
            obj=execution,
            title=question.title,
            question=question,
            form=form,
        )

    def apply_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then have launch settings applied to what has yet to be launched."""
        execution = self.steerable(request, object_id)
        question = confirm.Question(
            title=f"Apply launch settings for the {execution}",
            text="DRS and EC2 are made to hold what is set for servers that have yet to launch, "
            "and each is read back. A wave that could launch meanwhile waits for that.",
            verb="Apply",
            danger=False,
        )

        def act(_: dict[str, Any]) -> str:
            applies = wave_settings.ask(execution, actor=self.actor(request))
            return f"Launch settings of {len(applies)} groups are being applied."

        return self.asked(request, execution, question, act)

    def has_override_permission(self, request: HttpRequest, obj: Execution) -> bool:
        """May the person let waves of this execution launch against what AWS says?"""
        return may_override(request, obj)

    def override_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Ask, then let a wave launch although what AWS says keeps it from that."""
        execution: Execution = self.found(request, object_id, "override")
        wave = wave_of(execution, position)
        row = wave_preflights.kept(wave)
        found = [check for check in checks_of(row) if check.code in row.in_the_way] if row else []
        question = confirm.Question(
            title=f"Launch {wave} all the same",
            text="Its servers are launched although these checks failed or could not be made. DRS "
            "still refuses what it cannot launch. What else is found later keeps it again.",
            verb="Launch all the same",
            reason="Reason (needed)",
            template="recovery/override.html",
            context={"lines": [check_line(check) for check in found]},
        )

        def act(said: dict[str, Any]) -> str:
            wave_overrides.override(
                execution, position=position, reason=said["reason"], actor=self.actor(request)
            )
            return f"{wave} launches all the same."

        return self.asked(request, execution, question, act)

    def asked(
        self,
        request: HttpRequest,
        execution: Execution,
        question: confirm.Question,
        act: Callable[[dict[str, Any]], str],
    ) -> HttpResponse:
        """Ask; then do it, say what `act` returns, and go back to the execution."""

        def done(said: dict[str, Any]) -> HttpResponse:
            self.message_user(request, act(said), messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", execution))

        return confirm.confirm(self, request, execution, question, done)
