"""Bad requests through the whole stack, with botocore's own checks switched off.

They are answered ValidationException 400, never 500, and change nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from drportal.simulator.operations import HANDLERS
from drportal.simulator.shapes import operation_model
from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.negatives import Negative, example, negatives
from tests.simulator.fidelity.player import HOME, HUB, client
from tests.simulator.fidelity.state import fingerprint

WITH_BODY = sorted(
    operation
    for operation in HANDLERS
    if operation_model(operation).http["method"] == "POST"
    and not operation_model(operation).http["requestUri"].startswith("/tags/")
    and getattr(operation_model(operation).input_shape, "members", None)
)
ARN = f"arn:aws:drs:{HOME}:{HUB}:source-server/{server_id('web-1')}"


@pytest.fixture
def unchecked(clock):
    return client(HUB, HOME, parameter_validation=False)


@contextmanager
def body(made: Any, value: bytes) -> Iterator[None]:
    """The next requests of the client have this body, whatever they are given."""

    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = value

    made.meta.events.register("before-call.drs", replace)
    yield
    made.meta.events.unregister("before-call.drs", replace)


def refusal(made: Any, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        getattr(made, xform_name(operation))(**params)
    return dict(caught.value.response)


def send(made: Any, negative: Negative) -> dict[str, Any]:
    valid = example(operation_model(negative.operation).input_shape)
    with body(made, json.dumps(negative.params).encode()):
        return refusal(made, negative.operation, valid)


@pytest.mark.parametrize("operation", WITH_BODY)
def test_every_single_fault_is_refused_and_changes_nothing(unchecked, operation):
    before = fingerprint(backend_of())

    for negative in negatives(operation):
        answer = send(unchecked, negative)
        assert answer["Error"]["Code"] == "ValidationException", negative
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400, negative
        assert answer["reason"] == negative.reason, negative
        assert answer["fieldList"], negative

    assert fingerprint(backend_of()) == before


@pytest.mark.parametrize("text", [b"{", b"[]", b'"x"', b"\xff\xfe", b"7"])
def test_a_body_that_is_no_object_is_refused(unchecked, text):
    with body(unchecked, text):
        answer = refusal(unchecked, "DescribeJobs", {})

    assert answer["Error"]["Code"] == "ValidationException"
    assert answer["reason"] == "cannotParse"


def test_members_that_the_model_lacks_are_ignored(unchecked):
    with body(unchecked, b'{"surprise": [1]}'):
        assert unchecked.describe_jobs()["items"] == []


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("ListTagsForResource", {"resourceArn": "arn:short"}),
        ("ListTagsForResource", {"resourceArn": "x" * 2049}),
        ("TagResource", {"resourceArn": ARN, "tags": {"x" * 257: ""}}),
        ("TagResource", {"resourceArn": ARN, "tags": {"x": "y" * 257}}),
        ("TagResource", {"resourceArn": ARN, "tags": {"aws:x": "y"}}),
        ("UntagResource", {"resourceArn": ARN, "tagKeys": ["x" * 257]}),
        ("ListStagingAccounts", {"maxResults": 0}),
        ("ListStagingAccounts", {"maxResults": 51}),
        ("ListStagingAccounts", {"maxResults": "many"}),
        ("ListStagingAccounts", {"maxResults": 2**40}),
        ("ListStagingAccounts", {"nextToken": "x" * 2049}),
    ],
)
def test_bad_paths_and_queries_are_refused(unchecked, operation, params):
    before = fingerprint(backend_of())

    answer = refusal(unchecked, operation, params)

    assert answer["Error"]["Code"] == "ValidationException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert fingerprint(backend_of()) == before


def test_over_http_a_bad_request_is_refused_too(server, clock_over_http):
    made = client(HUB, HOME, server.url, parameter_validation=False)

    for negative in negatives("StartRecovery"):
        answer = send(made, negative)
        assert answer["Error"]["Code"] == "ValidationException", negative
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400, negative
    assert refusal(made, "ListStagingAccounts", {"maxResults": "many"})["reason"] == "cannotParse"
