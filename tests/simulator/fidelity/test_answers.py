"""Every answer of the long run, judged by the model: shape, status, error, headers, ids."""

from collections.abc import Iterator
from typing import Any

import pytest

from drportal.simulator.operations import HANDLERS
from drportal.simulator.shapes import operation_model, service
from tests.simulator.fidelity.player import HOME, Answer, client
from tests.simulator.fidelity.recording import Recording, modelled_errors

# IAM refuses, and a request is checked, before an operation with a model of its own is reached.
FROM_ANY_OPERATION = {"AccessDeniedException", "ValidationException"}
RETRIED = {"ThrottlingException", "InternalServerException"}
NO_CONTENT = 204
OPERATIONS = sorted(HANDLERS)


def answers(recording: Recording, operation: str, *, refused: bool) -> list[Answer]:
    found = [
        answer
        for answer in recording.play.answers
        if answer.operation == operation and bool(answer.error) is refused
    ]
    assert found or refused, f"the run never succeeded with {operation}"
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_fit_the_output_shape(recorded, operation):
    assert [each for each in recorded.off_model if each.startswith(f"{operation} ")] == []


def test_the_strict_model_is_kept_without_exception(recorded_strictly):
    assert recorded_strictly.deviations == []


def test_the_known_deviations_are_really_there(recorded):
    stamps = [each for each in recorded.deviations if "+00:00" in each]
    events = [each for each in recorded.deviations if "LAUNCH_END" in each]

    assert stamps
    assert events
    assert len(stamps) + len(events) == len(recorded.deviations)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_success_has_the_modelled_status(recorded, operation):
    expected = operation_model(operation).http["responseCode"]

    for answer in answers(recorded, operation, refused=False):
        assert answer.status == expected
        if expected == NO_CONTENT:
            assert answer.body == b""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_refusals_are_modelled(recorded, operation):
    for answer in answers(recorded, operation, refused=True):
        assert answer.error in modelled_errors(operation) | FROM_ANY_OPERATION, answer
        assert answer.error is not None
        shape = service().shape_for(answer.error)
        assert answer.status == shape.metadata["error"]["httpStatusCode"]
        assert type(answer.raised).__name__ == answer.error
        assert answer.result["Error"]["Message"]
        if answer.error in RETRIED:
            assert answer.headers["Retry-After"] == "3"


def test_refusals_resolve_to_the_exceptions_of_the_client(recorded, clock):
    exceptions = client("123456789012", HOME).exceptions
    raised = [answer for answer in recorded.play.answers if answer.error]

    assert {answer.error for answer in raised} == {
        name for name in service().shape_names if name.endswith("Exception")
    }
    for answer in raised:
        assert type(answer.raised).__name__ == getattr(exceptions, str(answer.error)).__name__


def test_refusals_carry_their_members(recorded):
    by_code = {answer.error: answer.result for answer in recorded.play.answers if answer.error}

    for code in ("ResourceNotFoundException", "ConflictException"):
        assert by_code[code]["resourceId"]
        assert by_code[code]["resourceType"]
    assert by_code["ServiceQuotaExceededException"]["quotaCode"].startswith("L-")
    assert by_code["ServiceQuotaExceededException"]["serviceCode"] == "drs"
    assert by_code["ValidationException"]["reason"] in {"fieldValidationFailed", "other"}
    assert by_code["ValidationException"]["fieldList"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_arns_are_the_callers(recorded, operation):
    if operation == "ListExtensibleSourceServers":
        return  # it lists what another account has
    for answer in answers(recorded, operation, refused=False):
        for arn in own_arns(answer.result):
            assert arn.split(":")[1:5] == ["aws", "drs", answer.region, answer.account]


def own_arns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "arn":
                yield inner
            else:
                yield from own_arns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from own_arns(inner)
