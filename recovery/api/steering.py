"""Steering an execution through the API. Each request is written down, and answered at once."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from recovery.api.examples import EXTEND, RESUME, RETRY, SKIP
from recovery.api.execution_serializers import ExecutionOut
from recovery.api.serializers import CancelIn, ResumeIn
from recovery.api.starting import shown
from recovery.api.steering_serializers import (
    CheckAgainIn,
    ExtendIn,
    PassCheckIn,
    PauseIn,
    RetryIn,
    SkipIn,
)
from recovery.permissions import PlanPermission
from recovery.services import check_requests, executions, retries, steering

_ACTIONS = ("cancel", "pause", "resume", "retry", "skip", "extend", "check_again", "pass_check")
NEEDS: Final = {name: Needs.on_it(PlanPermission.STEER) for name in _ACTIONS}


class SteeringActions(RecordedViewSet):
    """What people ask of an execution."""

    @extend_schema(request=CancelIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"])
    def cancel(self, _: Request, **__: str) -> Response:
        """Ask that an execution be cancelled. Nothing more is launched; jobs that DRS runs
        already are watched to their end. Asking twice changes nothing.
        """
        return self._asked(executions.cancel, CancelIn)

    @extend_schema(request=PauseIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"])
    def pause(self, _: Request, **__: str) -> Response:
        """Ask that no further wave starts. Waves that launch go on to their end; then the
        execution is PAUSED until `resume`. Asking twice changes nothing.
        """
        return self._asked(steering.pause, PauseIn)

    @extend_schema(request=ResumeIn, responses={202: ExecutionOut}, examples=[RESUME])
    @action(detail=True, methods=["post"])
    def resume(self, _: Request, **__: str) -> Response:
        """With `position`, open the gate of that wave. Without it, lift the pause, if one is
        requested, and else open the gate of every wave that waits.

        Lifting a pause opens no gate. Once one has been lifted, gates are opened by `position`
        only, else 409: who lifts a pause that somebody has just lifted must not open them.
        """
        return self._asked(steering.resume, ResumeIn)

    @extend_schema(request=RetryIn, responses={202: ExecutionOut}, examples=[RETRY])
    @action(detail=True, methods=["post"])
    def retry(self, _: Request, **__: str) -> Response:
        """Launch servers of an ended wave that FAILED or were SKIPPED again, in this execution.

        The wave launches again with its whole time limit, waves that only it blocked wait for it,
        and an execution that ended FAILED, PARTIAL or TIMED_OUT goes on. 409 for a server of which
        it is not known what became of it (`recovery.outcome_unknown`), that was launched and only
        failed its checks (`recovery.instance_runs`: see `check-again`), of which a launch job has
        not ended or was lost (`recovery.launch_not_settled`), that another execution holds
        (`recovery.servers_held`) or has launched meanwhile (`recovery.launched_since`).
        """
        return self._asked(retries.retry, RetryIn)

    @extend_schema(request=CheckAgainIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"], url_path="check-again")
    def check_again(self, _: Request, **__: str) -> Response:
        """Make the checks again that launched servers of a wave have not passed. Nothing is
        launched. The wave, waves that only it blocked, and an execution that had ended go on. 409
        where a command may have run that may not run twice (`recovery.command_may_have_run`).
        """
        return self._asked(check_requests.again, CheckAgainIn)

    @extend_schema(request=PassCheckIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"], url_path="pass-check")
    def pass_check(self, _: Request, **__: str) -> Response:
        """Take a check of a launched server as passed, on one's own word. If its server lacks
        nothing else, it is READY, and what had ended for want of it goes on.
        """
        return self._asked(check_requests.pass_by_hand, PassCheckIn)

    @extend_schema(request=SkipIn, responses={202: ExecutionOut}, examples=[SKIP])
    @action(detail=True, methods=["post"])
    def skip(self, _: Request, **__: str) -> Response:
        """Leave a wave out, or some of its servers, before it launches. They become LEFT_OUT, count
        for no verdict, and waves that depend on a wave that is left out go on. It cannot be taken
        back, and not everything can be left out.
        """
        return self._asked(steering.leave_out, SkipIn)

    @extend_schema(request=ExtendIn, responses={202: ExecutionOut}, examples=[EXTEND])
    @action(detail=True, methods=["post"])
    def extend(self, _: Request, **__: str) -> Response:
        """Give a wave that launches more time, if its time is not up yet."""
        return self._asked(steering.extend, ExtendIn)

    def _asked(self, ask: Any, body: type[Any]) -> Response:
        execution = self.the_object()
        ask(execution, **self.taken(body), actor=self.actor)
        return self.created(shown(execution), execution.pk, status=202)
