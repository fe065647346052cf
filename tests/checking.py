"""A driver that makes the checks of launched servers too."""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from drportal.simulator.world import world
from recovery.models import Execution, ServerCheck
from recovery.services import checking
from recovery.states import ServerCheckState
from tests.worlds import Driver


class CheckingDriver(Driver):
    """Beat and the workers, those that make checks among them, without waiting."""

    def step(self, execution: Execution, *, forward: timedelta = timedelta(seconds=30)) -> None:
        super().step(execution, forward=forward)
        look()


def look(*, settled: bool = True) -> None:
    """One look at every check, as if its time had come, and AWS had had time to list commands."""
    now = timezone.now()
    rows = ServerCheck.objects.filter(state=ServerCheckState.WAITING)
    rows.update(due_at=now, leased_until=None)
    if settled:
        rows.exclude(intended_at=None).update(intended_at=F("intended_at") - timedelta(minutes=1))
    checking.run_due(within=timedelta(milliseconds=1))


def sent() -> int:
    """How many commands AWS has."""
    return sum(map(len, world.guests.sent.values()))
