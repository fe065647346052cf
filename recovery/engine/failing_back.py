"""What a failback does next, and whether an instance may go back. Nothing here asks or writes.

What nobody has told is not ready. What DRS may have heard is looked for before it is asked again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from recovery.failback_states import (
    NOT_LAUNCHED,
    RETURN,
    FailbackState,
    Origin,
    ReturnState,
)

# Beside a state of its own an instance is shown as DRS does.
_CONTINUOUS = "CONTINUOUS"
_READY = "FAILBACK_READY_FOR_LAUNCH"
# What DRS says of an instance that does not replicate back (botocore model).
_IDLE = frozenset({"", "NOT_STARTED", "STOPPED", "DISCONNECTED"})
_SAID = {
    "FAILBACK_NOT_STARTED": "Nothing replicates back yet. Start the failback client on the "
    "original machine, and pair it with this instance (DRS user guide).",
    "FAILBACK_IN_PROGRESS": "It replicates back.",
    "FAILBACK_COMPLETED": "DRS says that it was failed back already, and not by this request: look "
    "at the original machine, then leave it out.",
    "FAILBACK_ERROR": "DRS reports an error of the failback: look at the failback client on the "
    "original machine.",
    "FAILBACK_NOT_READY_FOR_LAUNCH": "DRS says that it is not ready for launch.",
}


class Move(StrEnum):
    """What is to be done about the reversal of an instance."""

    ASK = "ASK"
    ADOPT = "ADOPT"
    WAIT = "WAIT"


@dataclass(frozen=True, slots=True)
class Reversal:
    """What is known of the reversal of `instance_id`.

    `told_arn` is the reversed server that DRS tells of now, `source_of_told` the instance that
    that one replicates from, both empty if that is not known; `known_arn` is what it told before it
    was asked. `asked` says that it may have heard us, `settled` that it had time to show it.
    """

    instance_id: str
    replication_state: str
    told_arn: str
    source_of_told: str
    known_arn: str
    asked: bool
    settled: bool


def reversal(facts: Reversal) -> Move:
    """Whether DRS has reversed the replication already; if not, whether it may be asked."""
    if facts.told_arn and facts.source_of_told in {"", facts.instance_id}:
        if facts.asked and facts.told_arn != facts.known_arn:
            return Move.ADOPT
        begun = facts.replication_state not in _IDLE
        if facts.source_of_told == facts.instance_id and begun:
            return Move.ADOPT
    return Move.WAIT if facts.asked and not facts.settled else Move.ASK


def why_not_ready(
    origin: str,
    *,
    replication_state: str,
    failback_state: str,
    lag: timedelta | None,
    most_lag: timedelta,
    error: str = "",
) -> str:
    """Why an instance may not be launched back now, by what DRS has just told; empty if it may."""
    if error:
        return f"DRS reports {error}."
    if origin == Origin.ON_PREMISES:
        if failback_state == _READY:
            return ""
        said = failback_state or "nothing"
        return _SAID.get(failback_state, f"DRS reports {said} as the state of the failback.")
    if failback_state == "FAILBACK_COMPLETED":
        return _SAID[failback_state]
    if replication_state != _CONTINUOUS:
        said = replication_state or "no state"
        return f"Its replication back is not continuous: DRS reports {said}."
    if lag is None:
        return "DRS does not tell how far its replication back lags."
    if lag > most_lag:
        return f"Its replication back lags by {lag}, and {most_lag} is allowed."
    return ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a failback stands: its state, people's requests, its instances, and what lives of it."""

    state: FailbackState
    cancelling: bool
    launch_open: bool
    finish_open: bool
    instances: Sequence[ReturnState]
    live_jobs: int


def next_state(now: Snapshot) -> FailbackState | None:
    """The state that a failback goes to; None if it stays where it is."""
    if now.cancelling and now.state != FailbackState.CANCELLING:
        return FailbackState.CANCELLING
    live = [each for each in now.instances if each in RETURN.active]
    if not live and not now.live_jobs:
        return _end(now)
    return _onward(now, Counter(live))


def _end(now: Snapshot) -> FailbackState:
    """Where a failback goes of which every instance has come to its end."""
    if now.state == FailbackState.CANCELLING:
        return FailbackState.CANCELLED
    if now.state == FailbackState.FINISHING:
        return outcome(now.instances)
    return FailbackState.FAILED  # nothing came back, so there is nothing to confirm


def _onward(now: Snapshot, live: Counter[ReturnState]) -> FailbackState | None:
    to_reverse = live[ReturnState.WAITING] + live[ReturnState.REVERSING]
    to_launch = sum(live[state] for state in NOT_LAUNCHED) + live[ReturnState.LAUNCHING]
    goes_on = {
        FailbackState.REVERSING: (not to_reverse, FailbackState.WATCHING),
        FailbackState.WATCHING: (now.launch_open, FailbackState.LAUNCHING),
        FailbackState.LAUNCHING: (not to_launch and not now.live_jobs, FailbackState.CONFIRMING),
        FailbackState.CONFIRMING: (now.finish_open, FailbackState.FINISHING),
    }
    ready, state = goes_on.get(now.state, (False, now.state))
    return state if ready else None


def outcome(instances: Iterable[ReturnState]) -> FailbackState:
    """What a failback that was not cancelled amounts to. What a person left out counts for
    nothing.
    """
    counted = Counter(each for each in instances if each != ReturnState.LEFT_OUT)
    if counted and counted.keys() == {ReturnState.FINISHED}:
        return FailbackState.COMPLETED
    came_back = counted[ReturnState.FINISHED] + counted[ReturnState.KEPT]
    return FailbackState.PARTIAL if came_back else FailbackState.FAILED


def launched(origin: str, *, launch_status: str, failback_state: str) -> ReturnState:
    """What became of an instance once the job that was to launch it back has ended.

    Of what came from on premises the state of the failback decides; of what came from AWS, DRS's
    word in the job.
    """
    if launch_status in {"FAILED", "TERMINATED"} or failback_state == "FAILBACK_ERROR":
        return ReturnState.FAILED
    if launch_status != "LAUNCHED":
        return ReturnState.UNKNOWN
    if origin == Origin.ON_PREMISES and failback_state != "FAILBACK_COMPLETED":
        return ReturnState.UNKNOWN
    return ReturnState.LAUNCHED
