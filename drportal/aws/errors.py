"""What can go wrong when AWS is asked, in words that a caller can act on."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from drportal.errors import DomainError, Kind


class Failure(StrEnum):
    """Why AWS did not do what it was asked."""

    THROTTLED = "THROTTLED"
    SERVER_ERROR = "SERVER_ERROR"
    TIMED_OUT = "TIMED_OUT"
    CONNECTION_LOST = "CONNECTION_LOST"
    UNREACHABLE = "UNREACHABLE"
    ACCESS_DENIED = "ACCESS_DENIED"
    SCP_DENIED = "SCP_DENIED"
    CREDENTIALS = "CREDENTIALS"
    NOT_INITIALIZED = "NOT_INITIALIZED"
    REGION_NOT_OPTED_IN = "REGION_NOT_OPTED_IN"
    CONFLICT = "CONFLICT"
    NOT_FOUND = "NOT_FOUND"
    QUOTA = "QUOTA"
    INVALID = "INVALID"
    OTHER = "OTHER"


# Passing failures delay; the rest need somebody to change something.
PASSING = frozenset(
    {
        Failure.THROTTLED,
        Failure.SERVER_ERROR,
        Failure.TIMED_OUT,
        Failure.CONNECTION_LOST,
        Failure.UNREACHABLE,
    }
)
# After these, AWS may have done what it was asked although it did not say so.
AMBIGUOUS = frozenset(
    {Failure.SERVER_ERROR, Failure.TIMED_OUT, Failure.CONNECTION_LOST, Failure.OTHER}
)

_BY_CODE = {
    "ThrottlingException": Failure.THROTTLED,
    "Throttling": Failure.THROTTLED,
    "ThrottledException": Failure.THROTTLED,
    "RequestLimitExceeded": Failure.THROTTLED,
    "TooManyRequestsException": Failure.THROTTLED,
    "ProvisionedThroughputExceededException": Failure.THROTTLED,
    "RequestThrottled": Failure.THROTTLED,
    "RequestThrottledException": Failure.THROTTLED,
    "EC2ThrottledException": Failure.THROTTLED,
    "PriorRequestNotComplete": Failure.THROTTLED,
    "SlowDown": Failure.THROTTLED,
    "RequestTimeout": Failure.TIMED_OUT,
    "RequestTimeoutException": Failure.TIMED_OUT,
    "InternalServerException": Failure.SERVER_ERROR,
    "InternalServerError": Failure.SERVER_ERROR,
    "InternalError": Failure.SERVER_ERROR,
    "InternalFailure": Failure.SERVER_ERROR,
    "ServiceUnavailable": Failure.SERVER_ERROR,
    "Unavailable": Failure.SERVER_ERROR,
    "AccessDeniedException": Failure.ACCESS_DENIED,
    "AccessDenied": Failure.ACCESS_DENIED,
    "AuthorizationError": Failure.ACCESS_DENIED,
    "UnauthorizedOperation": Failure.ACCESS_DENIED,
    "UninitializedAccountException": Failure.NOT_INITIALIZED,
    "OptInRequired": Failure.REGION_NOT_OPTED_IN,
    "RegionDisabledException": Failure.REGION_NOT_OPTED_IN,
    "ConflictException": Failure.CONFLICT,
    "ConditionalCheckFailedException": Failure.CONFLICT,
    "ResourceInUseException": Failure.CONFLICT,
    "ResourceNotFoundException": Failure.NOT_FOUND,
    "InvalidInstanceID.NotFound": Failure.NOT_FOUND,
    "InvalidLaunchTemplateId.NotFound": Failure.NOT_FOUND,
    "InvalidLaunchTemplateId.VersionNotFound": Failure.NOT_FOUND,
    "NotFoundException": Failure.NOT_FOUND,
    "NotFound": Failure.NOT_FOUND,
    "NoSuchEntity": Failure.NOT_FOUND,
    "NoSuchResourceException": Failure.NOT_FOUND,
    "ServiceQuotaExceededException": Failure.QUOTA,
    "LimitExceededException": Failure.QUOTA,
    "ValidationException": Failure.INVALID,
    "ValidationError": Failure.INVALID,
    "InvalidParameterValue": Failure.INVALID,
    "InvalidParameter": Failure.INVALID,
    "UnrecognizedClientException": Failure.CREDENTIALS,
    "InvalidClientTokenId": Failure.CREDENTIALS,
    "ExpiredToken": Failure.CREDENTIALS,
    "ExpiredTokenException": Failure.CREDENTIALS,
    "RequestExpired": Failure.CREDENTIALS,
    "AuthFailure": Failure.CREDENTIALS,
    "SignatureDoesNotMatch": Failure.CREDENTIALS,
    "InvalidSignatureException": Failure.CREDENTIALS,
    "IncompleteSignature": Failure.CREDENTIALS,
    "MissingAuthenticationToken": Failure.CREDENTIALS,
}


class NotSentInTime(BotoCoreError):
    """The request was held back here: it was to be sent by a certain time, or not at all."""

    fmt = "the request could not be sent in time, and was not sent"


# What boto raises when no answer came, or none that it could read. The order matters: a
# ConnectTimeoutError never reached AWS, a ReadTimeoutError may have; the latter is also an
# HTTPClientError. The rest is unknown.
_UNANSWERED: tuple[tuple[tuple[type[Exception], ...], Failure], ...] = (
    (
        (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, NotSentInTime),
        Failure.UNREACHABLE,
    ),
    ((ReadTimeoutError,), Failure.TIMED_OUT),
    # An SSLError may come of the handshake, or of an answer that broke off.
    ((HTTPClientError, IncompleteReadError, SSLError), Failure.CONNECTION_LOST),
    (
        (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError),
        Failure.CREDENTIALS,
    ),
    ((ParamValidationError,), Failure.INVALID),
)
_WORDS = {
    Failure.UNREACHABLE: "the endpoint cannot be reached",
    Failure.TIMED_OUT: "no answer came in time",
    Failure.CONNECTION_LOST: "the connection broke before an answer came",
}
# IAM says so in the message when an organisation's policy is what refuses.
_SCP_WORDS = "service control policy"


@dataclass(frozen=True, slots=True)
class Call:
    """The call that failed: for messages and logs."""

    operation: str
    account_id: str
    region: str


class AwsError(DomainError):
    """AWS did not do what it was asked, or we cannot tell whether it did.

    `failure` says why; `passing` whether waiting can help; `ambiguous` whether a write may have
    taken effect all the same; `retry_after` is in seconds, if AWS named a time; `resource_id` is
    the resource that AWS complained about, if it named one.
    """

    code = "aws.failed"
    kind = Kind.UNAVAILABLE

    def __init__(
        self,
        failure: Failure,
        message: str,
        *,
        call: Call,
        aws_code: str = "",
        retry_after: float | None = None,
        resource_id: str = "",
    ) -> None:
        super().__init__(
            f"{call.operation} in {call.account_id}/{call.region}: {message}",
            failure=str(failure),
            operation=call.operation,
            account_id=call.account_id,
            region=call.region,
            aws_code=aws_code,
            resource_id=resource_id,
            retry_after=retry_after,
            message=message,
        )

    @property
    def failure(self) -> Failure:
        return Failure(self.context["failure"])

    @property
    def message(self) -> str:
        """What AWS said, without where it was asked."""
        return str(self.context["message"])

    @property
    def passing(self) -> bool:
        return self.failure in PASSING

    @property
    def ambiguous(self) -> bool:
        return self.failure in AMBIGUOUS

    @property
    def retry_after(self) -> float | None:
        seconds: float | None = self.context["retry_after"]
        return seconds

    @property
    def resource_id(self) -> str:
        return str(self.context["resource_id"])


def translate(error: ClientError | BotoCoreError | ResponseParserError, *, call: Call) -> AwsError:
    """The portal's error for what boto raised. What we do not know counts as ambiguous."""
    if isinstance(error, ClientError):
        return _answered(error, call)
    failure = _unanswered(error)
    # boto's words name the endpoint's URL, which is nobody's business on a page.
    said = _WORDS.get(failure) if not isinstance(error, NotSentInTime) else None
    return AwsError(failure, said or str(error), call=call, aws_code=type(error).__name__)


def _answered(error: ClientError, call: Call) -> AwsError:
    details: dict[str, Any] = dict(error.response.get("Error", {}))
    meta: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    code, message = str(details.get("Code", "")), str(details.get("Message", "")) or str(error)
    status = int(meta.get("HTTPStatusCode", 0))
    failure = _BY_CODE.get(code)
    if failure is None:
        failure = Failure.SERVER_ERROR if status >= 500 else _by_status(status)  # noqa: PLR2004  # HTTP
    if failure is Failure.ACCESS_DENIED and _SCP_WORDS in message.lower():
        failure = Failure.SCP_DENIED
    return AwsError(
        failure,
        f"{message} ({code})" if code else message,
        call=call,
        aws_code=code,
        retry_after=_seconds(meta.get("HTTPHeaders", {}).get("retry-after")),
        resource_id=str(error.response.get("resourceId", "")),
    )


def _by_status(status: int) -> Failure:
    by_status = {429: Failure.THROTTLED, 403: Failure.ACCESS_DENIED, 402: Failure.QUOTA}
    by_status |= {404: Failure.NOT_FOUND, 409: Failure.CONFLICT, 400: Failure.INVALID}
    return by_status.get(status, Failure.OTHER)


def _unanswered(error: Exception) -> Failure:
    for sorts, failure in _UNANSWERED:
        if isinstance(error, sorts):
            return failure
    return Failure.OTHER


def _seconds(value: object) -> float | None:
    try:
        found = float(str(value)) if value is not None else None
    except ValueError:  # the header may also hold a date, which AWS does not send
        return None
    return found if found is not None and math.isfinite(found) and found >= 0 else None
