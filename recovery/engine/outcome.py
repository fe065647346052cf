"""What an ended wave or execution amounts to. Only its servers decide."""

from collections.abc import Collection

from recovery.states import ENDED_WELL, LAUNCHED_WELL, ExecutionState, ServerState, WaveState

# A wave is over for these; UNKNOWN too, although the truth may still come in.
FINAL = frozenset(
    {
        ServerState.LAUNCHED,
        ServerState.READY,
        ServerState.FAILED,
        ServerState.SKIPPED,
        ServerState.UNKNOWN,
        ServerState.BLOCKED,
        ServerState.CANCELLED,
        ServerState.LEFT_OUT,
    }
)

# How waves end for want of time: their own, or that of one that they need.
_FOR_TIME = frozenset({WaveState.TIMED_OUT, WaveState.BLOCKED})


def of_wave(
    critical: Collection[str],
    optional: Collection[str] = (),
    *,
    threshold: int = 100,
    overdue: bool,
) -> WaveState:
    """How a wave ended whose critical and optional servers ended in these states.

    It ended well if every critical server was launched, and at least `threshold` percent of all,
    and has passed its checks where it has some: one whose checks have not ended counts as UNKNOWN,
    which is for the caller to say. No servers is no success. Those that a person left out do not
    count.
    """
    critical = _counted(critical)
    servers = [*critical, *_counted(optional)]
    launched = sum(state in LAUNCHED_WELL for state in servers)
    all_critical = all(state in LAUNCHED_WELL for state in critical)
    if servers and all_critical and launched * 100 >= threshold * len(servers):
        return WaveState.COMPLETED
    if overdue:
        return WaveState.TIMED_OUT
    if launched:
        return WaveState.PARTIAL
    if servers and all(state == ServerState.CANCELLED for state in servers):
        return WaveState.CANCELLED
    return WaveState.FAILED


def of_execution(
    servers: Collection[str], *, cancelled: bool, waves: Collection[str] = ()
) -> ExecutionState:
    """How an execution ended whose servers and waves ended in these states.

    COMPLETED says that every server was launched, optional ones too: so where only these failed,
    all waves ended well and the execution is PARTIAL. Those that a person left out do not count.
    TIMED_OUT says that of its waves some ran out of time, and the others ended well or were only
    blocked by those. A wave that ended badly in another way says more, and then servers decide.
    """
    servers = _counted(servers)
    if cancelled:
        return ExecutionState.CANCELLED
    launched = sum(state in LAUNCHED_WELL for state in servers)
    if servers and launched == len(servers):
        return ExecutionState.COMPLETED
    if WaveState.TIMED_OUT in waves and set(waves) <= ENDED_WELL | _FOR_TIME:
        return ExecutionState.TIMED_OUT
    return ExecutionState.PARTIAL if launched else ExecutionState.FAILED


def _counted(servers: Collection[str]) -> list[str]:
    return [state for state in servers if state != ServerState.LEFT_OUT]
