"""The states of executions, waves, servers and launch jobs, and the moves between them."""

from django.db import models

from drportal.state import Lifecycle


class Kind(models.TextChoices):
    """What an execution is for. DRS launches the same way for both."""

    DRILL = "DRILL", "Drill"
    RECOVERY = "RECOVERY", "Recovery"


class ExecutionState(models.TextChoices):
    """How an execution stands. AWAITING means that a second person has yet to approve it; PAUSED,
    that only a person can let it go on; TIMED_OUT, that nothing but the time limits of its waves
    kept it from ending well.
    """

    AWAITING = "AWAITING", "Waiting for approval"
    PENDING = "PENDING", "Pending"
    RUNNING = "RUNNING", "Running"
    PAUSED = "PAUSED", "Paused"
    CANCELLING = "CANCELLING", "Cancelling"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL = "PARTIAL", "Partial"
    FAILED = "FAILED", "Failed"
    TIMED_OUT = "TIMED_OUT", "Timed out"
    CANCELLED = "CANCELLED", "Cancelled"


_EXECUTION_ENDS = {
    ExecutionState.COMPLETED,
    ExecutionState.PARTIAL,
    ExecutionState.FAILED,
    ExecutionState.TIMED_OUT,
}

EXECUTION = Lifecycle(
    {
        ExecutionState.AWAITING: {ExecutionState.RUNNING, ExecutionState.CANCELLING},
        ExecutionState.PENDING: {ExecutionState.RUNNING, ExecutionState.CANCELLING},
        ExecutionState.RUNNING: {
            ExecutionState.PAUSED,
            ExecutionState.CANCELLING,
            *_EXECUTION_ENDS,
        },
        ExecutionState.PAUSED: {ExecutionState.RUNNING, ExecutionState.CANCELLING},
        ExecutionState.CANCELLING: {ExecutionState.CANCELLED},
        ExecutionState.COMPLETED: set(),
        ExecutionState.PARTIAL: set(),
        ExecutionState.FAILED: set(),
        ExecutionState.TIMED_OUT: set(),
        ExecutionState.CANCELLED: set(),
    }
)


class WaveState(models.TextChoices):
    """How a wave stands. BLOCKED means that a wave it needed did not end well; LEFT_OUT, that a
    person decided that it is not launched, and that the others go on without it.
    """

    PENDING = "PENDING", "Pending"
    WAITING = "WAITING", "Waiting at its gate"
    LAUNCHING = "LAUNCHING", "Launching"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL = "PARTIAL", "Partial"
    FAILED = "FAILED", "Failed"
    TIMED_OUT = "TIMED_OUT", "Timed out"
    BLOCKED = "BLOCKED", "Blocked"
    CANCELLED = "CANCELLED", "Cancelled"
    LEFT_OUT = "LEFT_OUT", "Left out"


_WAVE_ENDS = {WaveState.COMPLETED, WaveState.PARTIAL, WaveState.FAILED, WaveState.TIMED_OUT}
_WAVE_ENDS |= {WaveState.CANCELLED}
_BEFORE_LAUNCH = {
    WaveState.LAUNCHING,
    WaveState.BLOCKED,
    WaveState.CANCELLED,
    WaveState.LEFT_OUT,
}
# What lets the waves that depend on it start.
ENDED_WELL = frozenset({WaveState.COMPLETED, WaveState.LEFT_OUT})

WAVE = Lifecycle(
    {
        WaveState.PENDING: {WaveState.WAITING, *_BEFORE_LAUNCH},
        WaveState.WAITING: set(_BEFORE_LAUNCH),
        WaveState.LAUNCHING: set(_WAVE_ENDS),
        WaveState.COMPLETED: set(),
        WaveState.PARTIAL: set(),
        WaveState.FAILED: set(),
        WaveState.TIMED_OUT: set(),
        WaveState.BLOCKED: set(),
        WaveState.CANCELLED: set(),
        WaveState.LEFT_OUT: set(),
    }
)


class ServerState(models.TextChoices):
    """What became of one server. UNKNOWN means that nobody has told, and is never success.
    SKIPPED is DRS's doing, LEFT_OUT a person's. READY is a launched server that has passed its
    checks; one that has none is as good as it gets when it is LAUNCHED.
    """

    PENDING = "PENDING", "Pending"
    LAUNCHING = "LAUNCHING", "Launching"
    LAUNCHED = "LAUNCHED", "Launched"
    READY = "READY", "Ready"
    FAILED = "FAILED", "Failed"
    SKIPPED = "SKIPPED", "Skipped by DRS"
    UNKNOWN = "UNKNOWN", "Unknown"
    BLOCKED = "BLOCKED", "Blocked"
    CANCELLED = "CANCELLED", "Cancelled"
    LEFT_OUT = "LEFT_OUT", "Left out"


# A server that is well, unless its checks have not ended.
LAUNCHED_WELL = frozenset({ServerState.LAUNCHED, ServerState.READY})
_SERVER_ENDS = {ServerState.LAUNCHED, ServerState.FAILED, ServerState.SKIPPED}

# UNKNOWN is final for its wave, but the truth may still come in.
SERVER = Lifecycle(
    {
        ServerState.PENDING: {
            ServerState.LAUNCHING,
            ServerState.FAILED,
            ServerState.BLOCKED,
            ServerState.CANCELLED,
            ServerState.UNKNOWN,
            ServerState.LEFT_OUT,
        },
        ServerState.LAUNCHING: {*_SERVER_ENDS, ServerState.UNKNOWN, ServerState.CANCELLED},
        ServerState.UNKNOWN: set(_SERVER_ENDS),
        ServerState.LAUNCHED: set(),
        ServerState.READY: set(),
        ServerState.FAILED: set(),
        ServerState.SKIPPED: set(),
        ServerState.BLOCKED: set(),
        ServerState.CANCELLED: set(),
        ServerState.LEFT_OUT: set(),
    }
)

# What checks make of a launched server. For DRS, and without checks, LAUNCHED is an end.
SERVER_CHECKED = Lifecycle(
    {
        ServerState.LAUNCHED: {ServerState.READY, ServerState.FAILED, ServerState.UNKNOWN},
        ServerState.READY: set(),
        ServerState.FAILED: set(),
        ServerState.UNKNOWN: set(),
    }
)
# What a person may have checked again; its instance is there, and is launched no second time.
SERVER_CHECKED_AGAIN = Lifecycle(
    {
        ServerState.FAILED: {ServerState.LAUNCHED},
        ServerState.UNKNOWN: {ServerState.LAUNCHED},
        ServerState.LAUNCHED: set(),
    }
)


# What a person may open again, and nobody else: for the engine an end is an end.
EXECUTION_AGAIN = Lifecycle(
    {
        ExecutionState.PARTIAL: {ExecutionState.RUNNING},
        ExecutionState.FAILED: {ExecutionState.RUNNING},
        ExecutionState.TIMED_OUT: {ExecutionState.RUNNING},
        ExecutionState.RUNNING: set(),
    }
)
WAVE_AGAIN = Lifecycle(
    {
        WaveState.COMPLETED: {WaveState.LAUNCHING},
        WaveState.PARTIAL: {WaveState.LAUNCHING},
        WaveState.FAILED: {WaveState.LAUNCHING},
        WaveState.TIMED_OUT: {WaveState.LAUNCHING},
        WaveState.BLOCKED: {WaveState.PENDING},
        WaveState.LAUNCHING: set(),
        WaveState.PENDING: set(),
    }
)
# UNKNOWN is not here: a server of which nobody knows may run.
SERVER_AGAIN = Lifecycle(
    {
        ServerState.FAILED: {ServerState.PENDING},
        ServerState.SKIPPED: {ServerState.PENDING},
        ServerState.BLOCKED: {ServerState.PENDING},
        ServerState.PENDING: set(),
    }
)


class Phase(models.TextChoices):
    """Where a launching server is, as the DRS job log tells; CHECKING, once it is launched."""

    WAITING = "WAITING", "Waiting"
    QUEUED = "QUEUED", "Queued"
    REQUESTED = "REQUESTED", "Requested"
    CLEANUP = "CLEANUP", "Removing the previous instance"
    SNAPSHOT = "SNAPSHOT", "Taking snapshots"
    CONVERSION = "CONVERSION", "Converting"
    LAUNCH = "LAUNCH", "Launching"
    CHECKING = "CHECKING", "Being checked"
    DONE = "DONE", "Done"


class ServerCheckState(models.TextChoices):
    """How a check of a launched server stands. UNKNOWN means that it could not be made, or that
    nobody can tell what came of it; it is never a pass.
    """

    WAITING = "WAITING", "Under way"
    PASSED = "PASSED", "Passed"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"


# PASSED from FAILED and UNKNOWN is a person's word.
SERVER_CHECK = Lifecycle(
    {
        ServerCheckState.WAITING: {
            ServerCheckState.PASSED,
            ServerCheckState.FAILED,
            ServerCheckState.UNKNOWN,
        },
        ServerCheckState.FAILED: {ServerCheckState.PASSED, ServerCheckState.WAITING},
        ServerCheckState.UNKNOWN: {ServerCheckState.PASSED, ServerCheckState.WAITING},
        ServerCheckState.PASSED: set(),
    }
)


class JobState(models.TextChoices):
    """How a launch job stands: the journal of one StartRecovery.

    QUEUED waits for its turn. INTENDED is written before DRS is asked. STARTED has DRS's job id.
    REFUSED means that DRS said no and launched nothing. LOST means that nobody can tell.
    """

    QUEUED = "QUEUED", "Queued"
    INTENDED = "INTENDED", "Intended"
    STARTED = "STARTED", "Started"
    ENDED = "ENDED", "Ended"
    REFUSED = "REFUSED", "Refused"
    CANCELLED = "CANCELLED", "Cancelled"
    LOST = "LOST", "Lost"


JOB = Lifecycle(
    {
        JobState.QUEUED: {JobState.INTENDED, JobState.CANCELLED, JobState.REFUSED},
        JobState.INTENDED: {
            JobState.QUEUED,
            JobState.STARTED,
            JobState.REFUSED,
            JobState.CANCELLED,
            JobState.LOST,
        },
        JobState.STARTED: {JobState.ENDED, JobState.LOST},
        JobState.ENDED: set(),
        JobState.REFUSED: set(),
        JobState.CANCELLED: set(),
        JobState.LOST: set(),
    }
)


class TerminationState(models.TextChoices):
    """How the clean-up of an execution stands. COMPLETED means that every instance is gone;
    INCOMPLETE that some are there still, or that nobody can tell.
    """

    RUNNING = "RUNNING", "Under way"
    COMPLETED = "COMPLETED", "Completed"
    INCOMPLETE = "INCOMPLETE", "Incomplete"


TERMINATION = Lifecycle(
    {
        TerminationState.RUNNING: {TerminationState.COMPLETED, TerminationState.INCOMPLETE},
        TerminationState.COMPLETED: set(),
        TerminationState.INCOMPLETE: set(),
    }
)

# The journal of one TerminateRecoveryInstances. One that found nothing left to ask for is ENDED
# without ever having been asked.
TERMINATION_JOB = Lifecycle(
    {
        JobState.QUEUED: {JobState.INTENDED, JobState.ENDED, JobState.REFUSED},
        JobState.INTENDED: {
            JobState.QUEUED,
            JobState.STARTED,
            JobState.ENDED,
            JobState.REFUSED,
            JobState.LOST,
        },
        JobState.STARTED: {JobState.ENDED, JobState.LOST},
        JobState.ENDED: set(),
        JobState.REFUSED: set(),
        JobState.LOST: set(),
    }
)


class InstanceOutcome(models.TextChoices):
    """What became of an instance that was to be terminated.

    GONE was not there any more. LEFT is there and was left alone, because it is not what this
    execution launched, or somebody needs it. UNKNOWN means that nobody can tell.
    """

    WAITING = "WAITING", "Waiting"
    TERMINATING = "TERMINATING", "Terminating"
    TERMINATED = "TERMINATED", "Terminated"
    GONE = "GONE", "Gone already"
    LEFT = "LEFT", "Left alone"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"


_INSTANCE_ENDS = {
    InstanceOutcome.TERMINATED,
    InstanceOutcome.GONE,
    InstanceOutcome.LEFT,
    InstanceOutcome.FAILED,
    InstanceOutcome.UNKNOWN,
}

INSTANCE = Lifecycle(
    {
        InstanceOutcome.WAITING: {InstanceOutcome.TERMINATING, *_INSTANCE_ENDS},
        InstanceOutcome.TERMINATING: set(_INSTANCE_ENDS),
        InstanceOutcome.TERMINATED: set(),
        InstanceOutcome.GONE: set(),
        InstanceOutcome.LEFT: set(),
        InstanceOutcome.FAILED: set(),
        InstanceOutcome.UNKNOWN: set(),
    }
)


class PreflightState(models.TextChoices):
    """How a preflight stands. What it found is its outcome. ABANDONED means that no worker
    brought it to an end: then nothing is known.
    """

    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    ABANDONED = "ABANDONED", "Abandoned"


PREFLIGHT = Lifecycle(
    {
        PreflightState.RUNNING: {PreflightState.DONE, PreflightState.ABANDONED},
        PreflightState.DONE: set(),
        PreflightState.ABANDONED: set(),
    }
)


class CheckOutcome(models.TextChoices):
    """What a check of a preflight found. UNKNOWN means that it could not be made; it blocks a
    start as FAILED does.
    """

    PASSED = "PASSED", "Passed"
    WARNING = "WARNING", "Warning"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"
