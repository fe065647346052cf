"""The states of failbacks and of what they bring back, and the moves between them."""

from django.db import models

from drportal.state import Lifecycle


class FailbackState(models.TextChoices):
    """How the failback of an execution stands.

    WATCHING and CONFIRMING end when a person opens a gate. PARTIAL means that something came back
    and something did not, or was not cleaned up.
    """

    REVERSING = "REVERSING", "Reversing replication"
    WATCHING = "WATCHING", "Replicating back"
    LAUNCHING = "LAUNCHING", "Launching back"
    CONFIRMING = "CONFIRMING", "Waiting for confirmation"
    FINISHING = "FINISHING", "Finishing"
    CANCELLING = "CANCELLING", "Cancelling"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL = "PARTIAL", "Partial"
    FAILED = "FAILED", "Failed"
    CANCELLED = "CANCELLED", "Cancelled"


_ENDS = {FailbackState.COMPLETED, FailbackState.PARTIAL, FailbackState.FAILED}
_CANCEL = FailbackState.CANCELLING

FAILBACK = Lifecycle(
    {
        FailbackState.REVERSING: {FailbackState.WATCHING, _CANCEL, FailbackState.FAILED},
        FailbackState.WATCHING: {FailbackState.LAUNCHING, _CANCEL, FailbackState.FAILED},
        FailbackState.LAUNCHING: {FailbackState.CONFIRMING, _CANCEL, FailbackState.FAILED},
        FailbackState.CONFIRMING: {FailbackState.FINISHING, _CANCEL, FailbackState.FAILED},
        FailbackState.FINISHING: {*_ENDS, _CANCEL},
        FailbackState.CANCELLING: {FailbackState.CANCELLED},
        FailbackState.COMPLETED: set(),
        FailbackState.PARTIAL: set(),
        FailbackState.FAILED: set(),
        FailbackState.CANCELLED: set(),
    }
)


class Gate(models.TextChoices):
    """What a failback waits for a person with."""

    LAUNCH = "LAUNCH", "Launch back"
    FINISH = "FINISH", "Finish"


class Origin(models.TextChoices):
    """Where a server came from, as DRS spells it. The way back depends on it."""

    AWS = "AWS", "AWS"
    ON_PREMISES = "ON_PREMISES", "On premises"


class ReturnState(models.TextChoices):
    """How it stands with bringing one instance back.

    READY is what the last look told, and no more. LAUNCHED runs where it came from. FINISHED is
    there and its recovery instance is gone; KEPT is there, and the recovery instance may be too.
    UNKNOWN means that nobody can tell, and is never success.
    """

    WAITING = "WAITING", "Waiting"
    REVERSING = "REVERSING", "Asked to reverse"
    REPLICATING = "REPLICATING", "Not ready"
    READY = "READY", "Ready"
    LAUNCHING = "LAUNCHING", "Launching back"
    LAUNCHED = "LAUNCHED", "Launched back"
    FINISHED = "FINISHED", "Failed back"
    KEPT = "KEPT", "Failed back, instance kept"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"
    LEFT_OUT = "LEFT_OUT", "Left out"
    CANCELLED = "CANCELLED", "Cancelled"


_LET_GO = {ReturnState.FAILED, ReturnState.LEFT_OUT, ReturnState.CANCELLED}

RETURN = Lifecycle(
    {
        ReturnState.WAITING: {
            ReturnState.REVERSING,
            ReturnState.REPLICATING,
            ReturnState.READY,
            *_LET_GO,
        },
        ReturnState.REVERSING: {ReturnState.WAITING, ReturnState.REPLICATING, *_LET_GO},
        ReturnState.REPLICATING: {
            ReturnState.READY,
            ReturnState.LAUNCHING,
            ReturnState.UNKNOWN,
            *_LET_GO,
        },
        ReturnState.READY: {
            ReturnState.REPLICATING,
            ReturnState.LAUNCHING,
            ReturnState.UNKNOWN,
            *_LET_GO,
        },
        ReturnState.LAUNCHING: {ReturnState.LAUNCHED, ReturnState.FAILED, ReturnState.UNKNOWN},
        ReturnState.LAUNCHED: {ReturnState.FINISHED, ReturnState.KEPT},
        ReturnState.FINISHED: set(),
        ReturnState.KEPT: set(),
        ReturnState.FAILED: set(),
        ReturnState.UNKNOWN: set(),
        ReturnState.LEFT_OUT: set(),
        ReturnState.CANCELLED: set(),
    }
)
# Those of which DRS has not been asked to launch anything yet.
NOT_LAUNCHED = frozenset(
    {
        ReturnState.WAITING,
        ReturnState.REVERSING,
        ReturnState.REPLICATING,
        ReturnState.READY,
    }
)
