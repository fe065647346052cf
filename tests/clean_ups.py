"""Carrying clean-ups out in one process, without waiting; see `tests.worlds`."""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from drportal.simulator.clock import ManualClock
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from recovery.models import Execution, Termination, TerminationJob
from recovery.services import termination_runs, terminations
from recovery.states import TERMINATION, TERMINATION_JOB
from tests.worlds import EAST, NORTH, PERSON


def asked_for(execution: Execution, **said: Any) -> Termination:
    return terminations.request(execution, actor=PERSON, **said)


def step(termination: Termination, *, forward: timedelta = timedelta(seconds=30)) -> None:
    """One look at everything; then time passes, for DRS to list what it was asked too."""
    now = timezone.now()
    live = TerminationJob.objects.filter(state__in=sorted(TERMINATION_JOB.active))
    live.update(due_at=now)
    live.exclude(asked_at=None).update(asked_at=F("asked_at") - timedelta(minutes=1))
    Termination.objects.filter(state__in=sorted(TERMINATION.active)).update(
        due_at=now, leased_until=None
    )
    termination_runs.carry_out(termination.pk)
    clock = world.clock
    assert isinstance(clock, ManualClock)
    clock.advance(forward)


def carried_out(termination: Termination, *, most: int = 100) -> Termination:
    """The clean-up at its end; a world in which that never comes fails the test."""
    for _ in range(most):
        termination.refresh_from_db()
        if termination.state in TERMINATION.terminal:
            return termination
        step(termination)
    jobs = list(termination.jobs.values_list("state", "message"))
    raise AssertionError(f"{termination} is still {termination.state}: {jobs}")


def outcomes(termination: Termination) -> dict[str, str]:
    """What became of the instances, by the name of their server."""
    return dict(termination.instances.values_list("server__name", "state"))


def asked() -> list[Any]:
    """Every TerminateRecoveryInstances that was sent, in order."""
    return world.calls.matching(operation="TerminateRecoveryInstances")


def there(account: str = NORTH, region: str = EAST) -> set[str]:
    """The recovery instances that DRS has."""
    return set(drs_backends[account][region].instances)


def terminate_jobs(account: str = NORTH, region: str = EAST) -> list[list[str]]:
    """The instances of each TERMINATE job that DRS really has."""
    return [
        sorted(entry.instance_id or "" for entry in job.participants)
        for job in drs_backends[account][region].jobs.values()
        if job.type == "TERMINATE"
    ]
