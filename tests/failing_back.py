"""Failing back in one process, without waiting; see `tests.worlds`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from drportal.simulator import failback as simulated
from drportal.simulator.clock import ManualClock
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from recovery.failback_states import FAILBACK, FailbackState, Gate
from recovery.models import (
    Execution,
    Failback,
    FailbackInstance,
    FailbackJob,
    RecoveryPlan,
    Termination,
    TerminationJob,
)
from recovery.services import executions, failback_runs, failbacks, termination_runs
from recovery.states import JOB, TERMINATION, TERMINATION_JOB, Kind
from tests.factories.recovery import PreflightFactory
from tests.worlds import EAST, NORTH, PERSON, WEST, server

HOUR = timedelta(hours=1)


def from_aws(name: str, *, account: str = NORTH, region: str = WEST) -> dict[str, Any]:
    """A server of EC2, that is protected in another Region."""
    return server(name, origin={"account": account, "region": region})


def recovery(plan: RecoveryPlan) -> Execution:
    PreflightFactory.create(plan=plan)
    return executions.start(
        plan, kind=Kind.RECOVERY, confirmation=plan.name, reason="fire", actor=PERSON
    )


def asked_for(execution: Execution, **said: Any) -> Failback:
    wanted = {"reason": "the fire is out", "confirmation": execution.plan_name} | said
    return failbacks.request(execution, actor=PERSON, **wanted)


def step(failback: Failback, *, forward: timedelta = timedelta(seconds=30)) -> None:
    """One look at everything; then time passes, for DRS to show what it was asked too."""
    make_due()
    failback_runs.carry_out(failback.pk)
    for pk in Termination.objects.filter(state__in=sorted(TERMINATION.active)).values_list(
        "pk", flat=True
    ):
        termination_runs.carry_out(pk)
    clock = world.clock
    assert isinstance(clock, ManualClock)
    clock.advance(forward)


def make_due() -> None:
    """Everything is due, and the settling time of what was asked has passed."""
    now, minute = timezone.now(), timedelta(minutes=1)
    for model, lifecycle in ((FailbackJob, JOB), (TerminationJob, TERMINATION_JOB)):
        live: Any = model._default_manager.filter(state__in=sorted(lifecycle.active))
        live.update(due_at=now)
        live.exclude(asked_at=None).update(asked_at=F("asked_at") - minute)
    rows = FailbackInstance.objects.all()
    rows.exclude(due_at=None).update(due_at=now)
    for name in ("reverse_asked_at", "stop_asked_at", "disconnect_asked_at"):
        rows.exclude(**{name: None}).update(**{name: F(name) - minute})
    again: dict[str, Any] = {"due_at": now, "leased_until": None}
    Failback.objects.filter(state__in=sorted(FAILBACK.active)).update(**again)
    Termination.objects.filter(state__in=sorted(TERMINATION.active)).update(**again)


def run(
    failback: Failback,
    *,
    until: Callable[[Failback], bool] = lambda found: found.state in FAILBACK.terminal,
    most: int = 200,
    forward: timedelta = timedelta(minutes=2),
) -> Failback:
    """Steps until `until`; a world in which that never comes fails the test."""
    for _ in range(most):
        failback.refresh_from_db()
        if until(failback):
            return failback
        step(failback, forward=forward)
    rows = list(failback.instances.values_list("server__name", "state", "message"))
    jobs = list(failback.jobs.values_list("state", "message"))
    raise AssertionError(f"{failback} is still {failback.state}: {rows}, {jobs}")


def ready(failback: Failback) -> Failback:
    """The failback when everything is ready, at the gate before it launches back."""

    def all_ready(found: Failback) -> bool:
        return found.state == FailbackState.WATCHING and not failbacks.not_ready(found)

    return run(failback, until=all_ready)


def launched_back(failback: Failback) -> Failback:
    """The failback at its last gate."""
    ready(failback)
    failbacks.open_gate(failback.execution, gate=Gate.LAUNCH, actor=PERSON)
    return run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)


def finished(failback: Failback) -> Failback:
    launched_back(failback)
    failbacks.open_gate(failback.execution, gate=Gate.FINISH, actor=PERSON)
    return run(failback)


def connect_clients(execution: Execution) -> None:
    """Somebody starts the failback client on every original machine."""
    for row in execution.servers.all():
        backend = drs_backends[row.account_id][row.region]
        instance = backend.instances.get(row.recovery_instance_id)
        if instance is not None and instance.origin is None:
            simulated.connect_failback_client(backend, row.recovery_instance_id)


def states(failback: Failback) -> dict[str, str]:
    """The states of what goes back, by the name of the server."""
    return dict(failback.instances.values_list("server__name", "state"))


def asked(operation: str) -> list[Any]:
    """Every such call that was sent, in order."""
    return world.calls.matching(operation=operation)


def launch_jobs(initiated_by: str, *, region: str, account: str = NORTH) -> list[list[str]]:
    """The servers of each job of this sort that DRS really has."""
    return [
        sorted(entry.server_id for entry in job.participants)
        for job in drs_backends[account][region].jobs.values()
        if job.initiated_by == initiated_by
    ]


def at_home(account: str = NORTH, region: str = WEST) -> set[str]:
    """The instances that were launched where the servers came from."""
    return set(drs_backends[account][region].instances)


def abroad(account: str = NORTH, region: str = EAST) -> set[str]:
    """The recovery instances that DRS has."""
    return set(drs_backends[account][region].instances)
