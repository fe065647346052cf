"""How each state is to be read. Only an outcome that is wholly good is green."""

from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone, badge
from recovery.engine.options import took_another
from recovery.models import WaveServer
from recovery.models.notices import DeliveryState
from recovery.states import (
    ExecutionState,
    JobState,
    Kind,
    Phase,
    ServerCheckState,
    ServerState,
    WaveState,
)

_EXECUTION = {
    ExecutionState.AWAITING: Tone.WAIT,
    ExecutionState.PENDING: Tone.PLAIN,
    ExecutionState.RUNNING: Tone.BUSY,
    ExecutionState.PAUSED: Tone.WAIT,
    ExecutionState.CANCELLING: Tone.WAIT,
    ExecutionState.COMPLETED: Tone.GOOD,
    ExecutionState.PARTIAL: Tone.UNSURE,
    ExecutionState.FAILED: Tone.BAD,
    ExecutionState.TIMED_OUT: Tone.BAD,
    ExecutionState.CANCELLED: Tone.PLAIN,
}
WAVE_TONES = {
    WaveState.PENDING: Tone.PLAIN,
    WaveState.WAITING: Tone.WAIT,
    WaveState.LAUNCHING: Tone.BUSY,
    WaveState.COMPLETED: Tone.GOOD,
    WaveState.PARTIAL: Tone.UNSURE,
    WaveState.FAILED: Tone.BAD,
    WaveState.TIMED_OUT: Tone.BAD,
    WaveState.BLOCKED: Tone.UNSURE,
    WaveState.CANCELLED: Tone.PLAIN,
    WaveState.LEFT_OUT: Tone.PLAIN,
}
_DELIVERY = {
    DeliveryState.PENDING: Tone.WAIT,
    DeliveryState.FAILED: Tone.BAD,
    DeliveryState.SENT: Tone.GOOD,
    DeliveryState.GIVEN_UP: Tone.BAD,
    DeliveryState.DROPPED: Tone.PLAIN,
}
SERVER_TONES: dict[str, Tone] = {
    ServerState.PENDING: Tone.PLAIN,
    ServerState.LAUNCHING: Tone.BUSY,
    ServerState.LAUNCHED: Tone.GOOD,
    ServerState.READY: Tone.GOOD,
    ServerState.FAILED: Tone.BAD,
    ServerState.SKIPPED: Tone.BAD,
    ServerState.UNKNOWN: Tone.UNSURE,
    ServerState.BLOCKED: Tone.UNSURE,
    ServerState.CANCELLED: Tone.PLAIN,
    ServerState.LEFT_OUT: Tone.PLAIN,
}
# Servers that are launched and being checked are neither well nor bad.
BEING_CHECKED = Phase.CHECKING
STANDING_TONES = {**SERVER_TONES, BEING_CHECKED: Tone.BUSY}
_CHECK = {
    ServerCheckState.WAITING: Tone.BUSY,
    ServerCheckState.PASSED: Tone.GOOD,
    ServerCheckState.FAILED: Tone.BAD,
    ServerCheckState.UNKNOWN: Tone.UNSURE,
}
# That a job ended says nothing of its servers, so it is never green.
_JOB = {
    JobState.QUEUED: Tone.WAIT,
    JobState.INTENDED: Tone.BUSY,
    JobState.STARTED: Tone.BUSY,
    JobState.ENDED: Tone.PLAIN,
    JobState.REFUSED: Tone.BAD,
    JobState.CANCELLED: Tone.PLAIN,
    JobState.LOST: Tone.UNSURE,
}


def execution_badge(state: str) -> SafeString:
    """How an execution stands."""
    known = ExecutionState(state)
    return badge(known.label, _EXECUTION[known])


def delivery_badge(state: str) -> SafeString:
    """How a delivery stands."""
    known = DeliveryState(state)
    return badge(known.label, _DELIVERY[known])


def server_badge(state: str) -> SafeString:
    """What became of a server."""
    known = ServerState(state)
    return badge(known.label, SERVER_TONES[known])


def standing_badge(server: WaveServer) -> SafeString:
    """What became of a server, or that it is being checked, which is not good yet."""
    if server.being_checked:
        return badge("Being checked", Tone.BUSY)
    return server_badge(server.state)


def check_badge(state: str) -> SafeString:
    """How a check of a launched server stands."""
    known = ServerCheckState(state)
    return badge(known.label, _CHECK[known])


def job_badge(state: str) -> SafeString:
    """How a launch job stands."""
    known = JobState(state)
    return badge(known.label, _JOB[known])


def kind_badge(kind: str) -> SafeString:
    """Drill or recovery, which nobody may mistake for the other."""
    known = Kind(kind)
    return SafeString(f'<span class="dr-badge dr-kind-{known.value}">{known.label.upper()}</span>')


def chosen_point(server: WaveServer) -> str:
    """From which recovery point a server is launched, where one was chosen; and, once DRS has told
    which one it took, whether that is another.
    """
    if not server.chosen_point_id:
        return ""
    at, used = server.chosen_point_at, server.recovery_point_at
    when = f", taken {at:%Y-%m-%d %H:%M:%S} UTC" if at else ", when that was taken is not known"
    told = f"Chosen point {server.chosen_point_id}{when}"
    if used and took_another(at, used):
        told += f". DRS SAYS THAT IT TOOK ANOTHER, of {used:%Y-%m-%d %H:%M:%S} UTC"
    return told
