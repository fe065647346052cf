"""What AWS's refusal of something that was asked once means for asking again."""

from typing import Final

from drportal.aws.errors import AwsError, Failure
from drportal.aws.roles import forget_sessions
from recovery.services.looks import says_busy

# So often a refusal that may have been about what has gone since we looked is not the last word.
TRIES: Final = 2


def passes_by_itself(error: AwsError) -> bool:
    """Whether waiting is all that it takes: it counts for no refusal."""
    return error.passing or error.failure == Failure.QUOTA or says_busy(error)


def worth_another_look(error: AwsError, *, refusals: int) -> bool:
    """A conflict may be about what has gone since we looked; a role session may be revoked, which
    is forgotten then.
    """
    if refusals >= TRIES:
        return False
    if error.failure == Failure.CREDENTIALS:
        forget_sessions()
        return True
    return error.failure in {Failure.CONFLICT, Failure.NOT_FOUND}
