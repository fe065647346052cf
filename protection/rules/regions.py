"""What a Region's failure to answer means, in the words of `RegionStatus`."""

from drportal.aws.errors import AwsError, Failure
from protection.choices import RegionStatus

_STATUS = {
    Failure.THROTTLED: RegionStatus.THROTTLED,
    Failure.ACCESS_DENIED: RegionStatus.IAM_PERMISSION_DENIED,
    Failure.SCP_DENIED: RegionStatus.SCP_DENIED,
    Failure.NOT_INITIALIZED: RegionStatus.NOT_INITIALIZED,
    Failure.REGION_NOT_OPTED_IN: RegionStatus.REGION_NOT_OPTED_IN,
    Failure.UNREACHABLE: RegionStatus.ENDPOINT_UNREACHABLE,
    Failure.TIMED_OUT: RegionStatus.ENDPOINT_UNREACHABLE,
    Failure.CONNECTION_LOST: RegionStatus.ENDPOINT_UNREACHABLE,
}
# A Region that is not enabled does not know the keys that all others take. The account's own way
# in, which fails in the same words, has nothing to do with the Region.
_UNKNOWN_KEYS = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure"})
_WAY_IN = frozenset({"AssumeRole", "GetCallerIdentity"})

# These say that DRS is not used there; they are an answer, not a failure.
NOT_IN_USE = frozenset(
    {
        RegionStatus.NOT_INITIALIZED,
        RegionStatus.REGION_NOT_OPTED_IN,
        RegionStatus.REGION_NOT_ENABLED,
    }
)


def status_of(error: AwsError) -> RegionStatus:
    """The status of a Region that answered with `error`; ERROR for what is none of the others."""
    asked = error.context["operation"] not in _WAY_IN
    if asked and error.context["aws_code"] in _UNKNOWN_KEYS:
        return RegionStatus.REGION_NOT_ENABLED
    return _STATUS.get(error.failure, RegionStatus.ERROR)
