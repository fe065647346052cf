"""Asking that what a recovery launched goes back to where it came from, and what people decide on
the way. Workers do the rest (`failback_runs`); see docs/adr/0015.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import DomainError
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.observability import correlation_id
from drportal.state import move
from recovery.errors import (
    FailbackGateNotReached,
    FailbackNotConfirmed,
    FailbackNotReady,
    FailbackTooEarly,
    FailbackUnderWay,
    LaunchedBack,
    NoFailback,
    NotARecovery,
    NothingToFailBack,
    NotInTheFailback,
    ReasonNeeded,
    ServersHeld,
    TerminationUnderWay,
)
from recovery.failback_states import (
    FAILBACK,
    NOT_LAUNCHED,
    RETURN,
    FailbackState,
    Gate,
    ReturnState,
)
from recovery.models import Execution, Failback, FailbackInstance, FailbackJob, LaunchJob
from recovery.services import executions
from recovery.services.events import note
from recovery.services.steering import sentence
from recovery.services.terminations import Left, held_by_others, place_of
from recovery.services.terminations import left as left_of
from recovery.states import EXECUTION, JOB, TERMINATION, JobState, Kind

# What came back, or may have, is not launched back a second time.
_BACK: Final = (ReturnState.FINISHED, ReturnState.KEPT, ReturnState.UNKNOWN)
_GATES: Final = {Gate.LAUNCH: FailbackState.WATCHING, Gate.FINISH: FailbackState.CONFIRMING}


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an execution could go back, and why that cannot be asked for now."""

    left: Sequence[Left]
    refusal: DomainError | None


def standing(execution: Execution) -> Standing:
    """How it stands with failing back after `execution`. A fixed number of queries."""
    found = _left(execution)
    return Standing(found, _refusal(execution, found))


def request(execution: Execution, *, reason: str, confirmation: str, actor: Actor) -> Failback:
    """Ask that what `execution` launched goes back to where it came from, and hold its servers.

    Raises FailbackNotConfirmed if `confirmation` is not the plan's name, ReasonNeeded,
    NotARecovery, FailbackTooEarly, FailbackUnderWay, TerminationUnderWay, NothingToFailBack, and
    ServersHeld if other executions hold the servers; then nothing is written.
    """
    if confirmation.strip() != execution.plan_name:
        raise FailbackNotConfirmed(execution.plan_name)
    _must_have_a_reason(reason)
    with transaction.atomic():
        execution = Execution.objects.select_for_update().get(pk=execution.pk)
        found = standing(execution)
        if found.refusal is not None:
            raise found.refusal
        failback = Failback.objects.create(
            execution=execution,
            reason=reason,
            requested_by_id=actor.user_id,
            requested_by=actor.name,
            correlation_id=correlation_id(),
        )
        rows = FailbackInstance.objects.bulk_create(
            FailbackInstance(
                failback=failback,
                server=each.server,
                source_server_id=each.server.server_id,
                instance_id=each.server.recovery_instance_id,
                launch_job_ids=list(each.drs_job_ids),
            )
            for each in found.left
        )
        executions.claim(
            execution, execution.servers.filter(pk__in=[each.server.pk for each in found.left])
        )
        said = f"Failback of {len(rows)} instances requested by {actor.name}: {reason}"
        note(execution, "failback.requested", said, actor=actor)
        _record("requested", failback, actor, reason=reason, instances=len(rows))
        mark("FailbackInstances", *[row.pk for row in rows])
        _wake(failback)
    return failback


def open_gate(execution: Execution, *, gate: Gate, comment: str = "", actor: Actor) -> Failback:
    """Let the failback go on: launch back what is ready, or finish what was launched back.

    Raises NoFailback, FailbackGateNotReached and, if something is not ready by a young look,
    FailbackNotReady; then nothing is written.
    """
    with transaction.atomic():
        failback = _live(execution)
        if failback.cancel_requested_at is not None or failback.state != _GATES[gate]:
            raise FailbackGateNotReached(failback, FailbackState(failback.state).label)
        opened = _opened_field(gate)
        if getattr(failback, opened) is not None:
            return failback
        if gate == Gate.LAUNCH:
            why = unready(_rows(failback))
            if why:
                raise FailbackNotReady(why)
        prefix = opened.removesuffix("_opened_at")
        changes = {
            opened: timezone.now(),
            f"{prefix}_opened_by": actor.name,
            f"{prefix}_comment": comment,
        }
        for name, value in changes.items():
            setattr(failback, name, value)
        failback.save(update_fields=list(changes))
        what = "launching back" if gate == Gate.LAUNCH else "finishing"
        said = sentence(f"Gate before {what} opened by {actor.name}", comment)
        note(failback.execution, "failback.gate_opened", said, actor=actor)
        _record("gate_opened", failback, actor, gate=str(gate), comment=comment)
        _wake(failback)
    return failback


def leave_out(
    execution: Execution, *, server_ids: Collection[str], reason: str, actor: Actor
) -> Failback:
    """Leave servers out of a failback before they are launched back. Their recovery instances stay
    as they are, and what replicates already goes on. It cannot be taken back.

    Raises ReasonNeeded, NoFailback, NotInTheFailback and LaunchedBack; then nothing is written.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        failback = _live(execution)
        rows = {row.source_server_id: row for row in _rows(failback)}
        strange = sorted(set(server_ids) - rows.keys())
        if strange or not server_ids:
            raise NotInTheFailback(strange or ["a server without a name"])
        chosen = [rows[each] for each in sorted(set(server_ids))]
        late = [row for row in chosen if not _can_be_left_out(row)]
        if late:
            raise LaunchedBack([row.server.name for row in late])
        message = sentence(f"Left out by {actor.name}", reason)
        for row in chosen:
            ended = {"message": message[:2000], "finished_at": timezone.now()}
            move(row, ReturnState.LEFT_OUT, lifecycle=RETURN, **ended)
            said = f"{row.server.name} is left out of the failback. {message}"
            note(failback.execution, "failback.left_out", said, server=row.server, actor=actor)
            mark("FailbackInstances", row.pk)
        names = [row.source_server_id for row in chosen]
        _record("left_out", failback, actor, reason=reason, servers=names)
        _wake(failback)
    return failback


def cancel(execution: Execution, *, reason: str = "", actor: Actor) -> Failback:
    """Ask that the failback be cancelled: nothing more is asked for, failbacks that have begun are
    stopped, and launches that DRS runs already are watched to their end. Asking twice changes
    nothing. Raises NoFailback.
    """
    with transaction.atomic():
        failback = _live(execution)
        if failback.cancel_requested_at is None:
            failback.cancel_requested_at = timezone.now()
            failback.cancel_requested_by, failback.cancel_reason = actor.name, reason
            failback.save(
                update_fields=["cancel_requested_at", "cancel_requested_by", "cancel_reason"]
            )
            said = sentence(f"Cancelling the failback was requested by {actor.name}", reason)
            note(failback.execution, "failback.cancel_requested", said, actor=actor)
            _record("cancel_requested", failback, actor, reason=reason)
            _wake(failback)
    return failback


def told(execution: Execution) -> QuerySet[Failback]:
    """The failbacks of an execution, newest first, with their jobs and instances."""
    rows = FailbackInstance.objects.select_related("server", "job").order_by(
        "server__account_id", "server__region", "server__name", "id"
    )
    jobs = FailbackJob.objects.order_by("created_at", "id")
    return execution.failbacks.order_by("-created_at", "id").prefetch_related(
        Prefetch("instances", rows), Prefetch("jobs", jobs)
    )


def not_ready(failback: Failback) -> list[tuple[str, str]]:
    """What could not be launched back now, by name, and why. Asks for nothing if the instances
    have been fetched.
    """
    return unready(failback.instances.all())


def unready(rows: Iterable[FailbackInstance]) -> list[tuple[str, str]]:
    """Those of these that could not be launched back now, by name, and why."""
    fresh = oldest_look()
    found = []
    for row in rows:
        if row.state not in NOT_LAUNCHED:
            continue
        if row.state != ReturnState.READY:
            why = row.message or ReturnState(row.state).label
            found.append((row.server.name, why))
        elif row.looked_at is None or row.looked_at < fresh:
            found.append((row.server.name, "the last look at it is too old"))
    return found


def oldest_look() -> datetime:
    """What was seen before this is no longer taken for true."""
    return timezone.now() - timedelta(seconds=max(60, 4 * settings.POLL_SLOWEST_SECONDS))


def waits_at(failback: Failback) -> Gate | None:
    """The gate that a failback waits at, if it waits for a person."""
    if failback.cancel_requested_at is not None:
        return None
    for gate, state in _GATES.items():
        if failback.state == state and getattr(failback, _opened_field(gate)) is None:
            return gate
    return None


def can_be_left_out(row: FailbackInstance) -> bool:
    """Whether a person may leave it out now. Asks for its failback and its job only."""
    open_ = row.failback.state in FAILBACK.active and row.failback.cancel_requested_at is None
    return open_ and _can_be_left_out(row)


def counts(rows: Sequence[FailbackInstance]) -> dict[str, int]:
    """How many instances are in which state."""
    return dict(sorted(Counter(str(row.state) for row in rows).items()))


def _left(execution: Execution) -> list[Left]:
    """What of it may be there, but what an earlier failback brought back, or may have."""
    back = FailbackInstance.objects.filter(failback__execution=execution, state__in=_BACK)
    gone = set(back.values_list("server_id", flat=True))
    return [each for each in left_of(execution) if each.server.pk not in gone]


def _refusal(execution: Execution, left: Sequence[Left]) -> DomainError | None:
    if execution.kind != Kind.RECOVERY:
        return NotARecovery(execution)
    launching = LaunchJob.objects.filter(execution=execution, state__in=sorted(JOB.active))
    if execution.state not in EXECUTION.terminal or launching.exists():
        return FailbackTooEarly(execution)
    live = execution.failbacks.filter(state__in=sorted(FAILBACK.active)).first()
    if live is not None:
        return FailbackUnderWay(live, failback_id=live.pk)
    cleaning = execution.terminations.filter(state__in=sorted(TERMINATION.active)).first()
    if cleaning is not None:
        return TerminationUnderWay(cleaning, termination_id=cleaning.pk)
    if not left:
        return NothingToFailBack(execution)
    held = held_by_others(execution, {place_of(each.server) for each in left})
    if held:
        return ServersHeld(
            (server, holder.plan_name, holder.pk) for (_, _, server), holder in held.items()
        )
    return None


def _live(execution: Execution) -> Failback:
    """The row of the failback that is under way, locked for a request."""
    live = execution.failbacks.filter(state__in=sorted(FAILBACK.active))
    found = live.select_for_update(of=("self",)).select_related("execution").first()
    if found is None:
        raise NoFailback(execution)
    return found


def _rows(failback: Failback) -> QuerySet[FailbackInstance]:
    return failback.instances.select_related("server", "job")


def _can_be_left_out(row: FailbackInstance) -> bool:
    asked = row.job is not None and row.job.state in {JobState.INTENDED, JobState.STARTED}
    return row.state in NOT_LAUNCHED and not asked


def _opened_field(gate: Gate) -> str:
    return "launch_opened_at" if gate == Gate.LAUNCH else "finish_opened_at"


def _must_have_a_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonNeeded


def _record(what: str, failback: Failback, actor: Actor, **facts: Any) -> None:
    record(
        f"recovery.failback.{what}",
        actor=actor,
        subject=failback.execution,
        failback=str(failback.pk),
        **facts,
    )


def _wake(failback: Failback) -> None:
    """Let a worker look at it as soon as this commits; beat looks all the same."""
    Failback.objects.filter(pk=failback.pk).update(due_at=timezone.now())
    mark("Failbacks", failback.pk)
    hint("recovery.fail_back", failback_id=str(failback.pk))
