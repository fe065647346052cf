"""What an ended wave or execution amounts to. Only its servers decide."""

from collections.abc import Collection

from recovery.states import ExecutionState, ServerState, WaveState

# A wave is over for these; UNKNOWN too, although the truth may still come in.
FINAL = frozenset(
    {
        ServerState.LAUNCHED,
        ServerState.FAILED,
        ServerState.SKIPPED,
        ServerState.UNKNOWN,
        ServerState.BLOCKED,
        ServerState.CANCELLED,
    }
)


def of_wave(servers: Collection[str], *, overdue: bool) -> WaveState:
    """How a wave ended whose servers ended in these states. No servers is no success."""
    launched = sum(state == ServerState.LAUNCHED for state in servers)
    if servers and launched == len(servers):
        return WaveState.COMPLETED
    if overdue:
        return WaveState.TIMED_OUT
    if launched:
        return WaveState.PARTIAL
    if servers and all(state == ServerState.CANCELLED for state in servers):
        return WaveState.CANCELLED
    return WaveState.FAILED


def of_execution(servers: Collection[str], *, cancelled: bool) -> ExecutionState:
    """How an execution ended whose servers ended in these states."""
    if cancelled:
        return ExecutionState.CANCELLED
    launched = sum(state == ServerState.LAUNCHED for state in servers)
    if servers and launched == len(servers):
        return ExecutionState.COMPLETED
    return ExecutionState.PARTIAL if launched else ExecutionState.FAILED
