"""The walk over shapes itself: what it reports, and the two known deviations of DRS."""

import json

import pytest

from drportal.simulator.exceptions import ValidationException
from drportal.simulator.shapes import Deviation, operation_model, service
from drportal.simulator.validation import (
    OutputMismatch,
    check_json_types,
    check_output,
    check_query,
    output_problems,
    validate,
)
from tests.simulator.fidelity.negatives import example, negatives

JOB = {"jobID": "drsjob-0123456789abcdef0"}


def refusal(check, *args):
    with pytest.raises(ValidationException) as caught:
        check(*args)
    return vars(caught.value)


@pytest.mark.parametrize("operation", service().operation_names)
def test_a_request_with_every_member_passes(operation):
    request = example(operation_model(operation).input_shape)

    check_json_types(operation, json.dumps(request).encode())
    validate(operation, request)


@pytest.mark.parametrize("operation", service().operation_names)
def test_every_broken_request_is_refused_with_its_reason(operation):
    for negative in negatives(operation):
        body = json.dumps(negative.params).encode()
        if negative.reason == "cannotParse":
            assert refusal(check_json_types, operation, body)["reason"] == "cannotParse", negative
        else:
            check_json_types(operation, body)
            refused = refusal(validate, operation, negative.params)
            assert refused["reason"] == "fieldValidationFailed", negative
            assert refused["fieldList"], negative


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b'"x"', b"null", b"\xff", b'{"x": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(body):
    assert refusal(check_json_types, "StartRecovery", body)["reason"] == "cannotParse"


def test_deep_nesting_is_refused():
    assert refusal(check_json_types, "StartRecovery", b"[" * 100_000)["reason"] == "cannotParse"


def test_an_empty_body_is_an_empty_object():
    check_json_types("InitializeService", b"")


def test_members_that_are_null_count_as_absent():
    check_json_types("DescribeJobs", b'{"filters": null}')
    assert refusal(check_json_types, "DescribeJobs", b'{"filters": {"jobIDs": [null]}}')


def test_unknown_members_of_a_request_are_ignored():
    validate("DescribeJobs", {"surprise": 1})


def test_the_problem_names_its_place():
    request = {"sourceServers": [{"sourceServerID": "s-0123456789abcdef0"}, {}]}
    refused = refusal(validate, "StartRecovery", request)

    assert refused["fieldList"] == [
        {"name": "sourceServers[1].sourceServerID", "message": "is required"}
    ]


def test_numbers_in_the_query_are_numbers():
    check_query("ListStagingAccounts", {"maxResults": "7"})
    assert refusal(check_query, "ListStagingAccounts", {"maxResults": "x"})["reason"] == (
        "cannotParse"
    )


@pytest.mark.parametrize(
    "tags", [{f"key{number}": "" for number in range(51)}, {"aws:name": "x"}, {"AWS:name": "x"}]
)
def test_tags_beyond_what_aws_allows_are_refused(tags):
    request = {"resourceArn": "arn:aws:drs:us-east-1:123456789012:job/x", "tags": tags}

    assert refusal(validate, "TagResource", request)["reason"] == "fieldValidationFailed"


def test_an_answer_is_walked_to_the_bottom():
    job = JOB | {
        "surprise": 1,
        "status": "FAILED",
        "participatingServers": [{"sourceServerID": "x", "launchStatus": 7}],
    }

    found = output_problems("StartRecovery", {"job": job})

    assert [problem.split(":")[0] for problem in found] == [
        "job.surprise",
        "job.status",
        "job.participatingServers[0].sourceServerID",
        "job.participatingServers[0].sourceServerID",
        "job.participatingServers[0].launchStatus",
    ]


def test_required_members_of_an_answer_are_demanded():
    assert output_problems("StartRecovery", {"job": {}}) == ["job.jobID: is required"]


def test_an_answer_where_the_model_has_none_is_a_problem():
    assert output_problems("StopFailback", {}) == []
    assert output_problems("StopFailback", {"x": 1})


def test_the_strict_check_raises():
    check_output("StartRecovery", {"job": JOB})
    with pytest.raises(OutputMismatch, match="jobID"):
        check_output("StartRecovery", {"job": {}})


@pytest.mark.parametrize(
    ("deviation", "item"),
    [
        (Deviation.LAUNCH_END, {"event": "LAUNCH_END"}),
        (Deviation.OFFSET_TIMESTAMP, {"logDateTime": "2024-09-16T04:42:46.324841+00:00"}),
    ],
)
def test_the_deviations_are_let_through_only_by_name(deviation, item):
    answer = {"items": [item]}

    assert output_problems("DescribeJobLogItems", answer) == []
    assert output_problems("DescribeJobLogItems", answer, deviations={deviation}) == []
    assert output_problems("DescribeJobLogItems", answer, deviations=()) != []
    others = set(Deviation) - {deviation}
    assert output_problems("DescribeJobLogItems", answer, deviations=others) != []
