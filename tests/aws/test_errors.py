"""What boto raises, in words that a caller can act on."""

from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from drportal.aws.errors import (
    AMBIGUOUS,
    PASSING,
    AwsError,
    Call,
    Failure,
    translate,
)
from drportal.aws.scope import Account, Scope
from drportal.aws.session import translated
from drportal.errors import Kind

CALL = Call("StartRecovery", "210000000001", "us-east-1")
URL = "https://drs.us-east-1.amazonaws.com"


def answered(
    code: str, status: int, message: str = "words", *, headers: Any = None, **more: Any
) -> AwsError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
        **more,
    }
    return translate(ClientError(response, "StartRecovery"), call=CALL)


@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [
        ("ThrottlingException", 429, Failure.THROTTLED),
        ("Throttling", 400, Failure.THROTTLED),
        ("RequestLimitExceeded", 503, Failure.THROTTLED),
        ("EC2ThrottledException", 503, Failure.THROTTLED),
        ("ProvisionedThroughputExceededException", 400, Failure.THROTTLED),
        ("PriorRequestNotComplete", 400, Failure.THROTTLED),
        ("InternalServerException", 500, Failure.SERVER_ERROR),
        ("Unavailable", 503, Failure.SERVER_ERROR),
        ("RequestTimeout", 400, Failure.TIMED_OUT),
        ("AccessDeniedException", 403, Failure.ACCESS_DENIED),
        ("AccessDenied", 403, Failure.ACCESS_DENIED),
        ("UnauthorizedOperation", 403, Failure.ACCESS_DENIED),
        ("UninitializedAccountException", 400, Failure.NOT_INITIALIZED),
        ("OptInRequired", 403, Failure.REGION_NOT_OPTED_IN),
        ("RegionDisabledException", 403, Failure.REGION_NOT_OPTED_IN),
        ("ConflictException", 409, Failure.CONFLICT),
        ("ResourceNotFoundException", 404, Failure.NOT_FOUND),
        ("InvalidInstanceID.NotFound", 400, Failure.NOT_FOUND),
        ("ServiceQuotaExceededException", 402, Failure.QUOTA),
        ("ValidationException", 400, Failure.INVALID),
        ("UnrecognizedClientException", 403, Failure.CREDENTIALS),
        ("ExpiredTokenException", 403, Failure.CREDENTIALS),
        ("RequestExpired", 400, Failure.CREDENTIALS),
        ("InvalidSignatureException", 403, Failure.CREDENTIALS),
        ("AuthFailure", 401, Failure.CREDENTIALS),
        # Codes that the table does not know go by their status.
        ("Novel", 500, Failure.SERVER_ERROR),
        ("Novel", 502, Failure.SERVER_ERROR),
        ("Novel", 599, Failure.SERVER_ERROR),
        ("Novel", 429, Failure.THROTTLED),
        ("Novel", 403, Failure.ACCESS_DENIED),
        ("Novel", 402, Failure.QUOTA),
        ("Novel", 404, Failure.NOT_FOUND),
        ("Novel", 409, Failure.CONFLICT),
        ("Novel", 400, Failure.INVALID),
        ("Novel", 418, Failure.OTHER),
        ("", 0, Failure.OTHER),
    ],
)
def test_an_answer_goes_by_its_code_and_then_by_its_status(
    code: str, status: int, failure: Failure
) -> None:
    assert answered(code, status).failure is failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (exceptions.ConnectTimeoutError(endpoint_url=URL), Failure.UNREACHABLE),
        (exceptions.EndpointConnectionError(endpoint_url=URL), Failure.UNREACHABLE),
        (exceptions.ProxyConnectionError(proxy_url=URL), Failure.UNREACHABLE),
        (
            exceptions.SSLError(endpoint_url=URL, error=OSError("broke off")),
            Failure.CONNECTION_LOST,
        ),
        (exceptions.ReadTimeoutError(endpoint_url=URL), Failure.TIMED_OUT),
        (exceptions.ConnectionClosedError(endpoint_url=URL), Failure.CONNECTION_LOST),
        (exceptions.HTTPClientError(error="reset"), Failure.CONNECTION_LOST),
        (exceptions.ResponseStreamingError(error="cut"), Failure.CONNECTION_LOST),
        (
            exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
            Failure.CONNECTION_LOST,
        ),
        (exceptions.NoCredentialsError(), Failure.CREDENTIALS),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="key"),
            Failure.CREDENTIALS,
        ),
        (
            exceptions.CredentialRetrievalError(provider="web", error_msg="gone"),
            Failure.CREDENTIALS,
        ),
        (exceptions.ParamValidationError(report="too short"), Failure.INVALID),
        (exceptions.UnknownServiceError(service_name="x", known_service_names="y"), Failure.OTHER),
        (exceptions.BotoCoreError(), Failure.OTHER),
        (ResponseParserError("no XML"), Failure.OTHER),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_no_answer_goes_by_how_it_stayed_away(error: Any, failure: Failure) -> None:
    made = translate(error, call=CALL)
    assert made.failure is failure
    assert made.context["aws_code"] == type(error).__name__
    assert made.message
    assert "http" not in made.message


@pytest.mark.parametrize("failure", Failure)
def test_what_may_pass_and_what_may_have_happened(failure: Failure) -> None:
    made = AwsError(failure, "words", call=CALL)
    assert made.passing is (
        failure in {"THROTTLED", "SERVER_ERROR", "TIMED_OUT", "CONNECTION_LOST", "UNREACHABLE"}
    )
    assert made.ambiguous is (failure in {"SERVER_ERROR", "TIMED_OUT", "CONNECTION_LOST", "OTHER"})
    assert (failure in PASSING, failure in AMBIGUOUS) == (made.passing, made.ambiguous)
    assert (made.code, made.kind) == ("aws.failed", Kind.UNAVAILABLE)


@pytest.mark.parametrize(
    ("code", "message", "failure"),
    [
        (
            "AccessDeniedException",
            "not authorized with an explicit deny in a service control policy",
            Failure.SCP_DENIED,
        ),
        (
            "UnauthorizedOperation",
            "because no Service Control Policy allows the action",
            Failure.SCP_DENIED,
        ),
        ("Novel", "explicit deny in a service control policy", Failure.SCP_DENIED),
        (
            "AccessDeniedException",
            "because no identity-based policy allows it",
            Failure.ACCESS_DENIED,
        ),
    ],
)
def test_an_organisations_refusal_is_told_from_the_roles(
    code: str, message: str, failure: Failure
) -> None:
    assert answered(code, 403, message).failure is failure


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), (None, None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None)],
)
def test_the_time_to_wait_is_in_seconds(header: str | None, seconds: float | None) -> None:
    headers = {} if header is None else {"retry-after": header}
    assert answered("ThrottlingException", 429, headers=headers).retry_after == seconds


@pytest.mark.parametrize("nonsense", ["nan", "inf", "-inf", "-3"])
def test_a_time_that_is_none_is_none(nonsense: str) -> None:
    made = answered("ThrottlingException", 429, headers={"retry-after": nonsense})
    assert made.retry_after is None


def test_what_aws_complains_about_is_named() -> None:
    assert answered("ConflictException", 409, resourceId="s-1").resource_id == "s-1"
    assert answered("ConflictException", 409).resource_id == ""


def test_an_error_says_what_was_asked_where_and_what_aws_said() -> None:
    made = answered("ConflictException", 409, "busy")
    assert made.message == "busy (ConflictException)"
    assert made.detail == "StartRecovery in 210000000001/us-east-1: busy (ConflictException)"
    assert made.context | {"message": "", "failure": ""} == {
        "failure": "",
        "operation": "StartRecovery",
        "account_id": "210000000001",
        "region": "us-east-1",
        "aws_code": "ConflictException",
        "resource_id": "",
        "retry_after": None,
        "message": "",
    }


def test_an_answer_without_anything_is_an_error_all_the_same() -> None:
    made = translate(ClientError({}, "StartRecovery"), call=CALL)
    assert (made.failure, made.ambiguous) == (Failure.OTHER, True)
    assert made.message


def _raise(error: Exception, scope: Scope) -> None:
    with translated("StartRecovery", scope):
        raise error


@pytest.mark.parametrize(
    "raised", [exceptions.NoCredentialsError(), ResponseParserError("x"), ClientError({}, "Any")]
)
def test_whatever_boto_raises_comes_out_as_ours(raised: Exception) -> None:
    scope = Scope(Account("210000000001"), "us-east-1")
    with pytest.raises(AwsError, match="StartRecovery in 210000000001/us-east-1") as found:
        _raise(raised, scope)
    assert found.value.__cause__ is raised


def test_what_boto_did_not_raise_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError):
        _raise(ZeroDivisionError(), Scope(Account("210000000001"), "us-east-1"))
