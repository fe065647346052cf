"""Every fault, in process and over HTTP."""

import contextlib
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, OverHTTP, healthy
from tests.simulator.watching import LONG_ENOUGH, events, ids, job, launch, log, statuses


def code(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


CALLS = {
    "drs": lambda client: client.describe_jobs,
    "ec2": lambda client: client.describe_instances,
    "sts": lambda client: client.get_caller_identity,
    "dynamodb": lambda client: client.list_tables,
    "sns": lambda client: client.list_topics,
    "iam": lambda client: client.list_roles,
}


@pytest.mark.parametrize(
    ("kind", "service", "expected"),
    [
        (Kind.THROTTLE, "drs", ("ThrottlingException", 429)),
        (Kind.THROTTLE, "ec2", ("RequestLimitExceeded", 503)),
        (Kind.THROTTLE, "sts", ("Throttling", 400)),
        (Kind.THROTTLE, "dynamodb", ("ThrottlingException", 400)),
        (Kind.THROTTLE, "sns", ("Throttling", 400)),
        (Kind.SERVER_ERROR, "drs", ("InternalServerException", 500)),
        (Kind.SERVER_ERROR, "ec2", ("InternalError", 500)),
        (Kind.SERVER_ERROR, "dynamodb", ("InternalServerError", 500)),
        (Kind.ACCESS_DENIED, "drs", ("AccessDeniedException", 403)),
        (Kind.ACCESS_DENIED, "ec2", ("UnauthorizedOperation", 403)),
        (Kind.ACCESS_DENIED, "iam", ("AccessDenied", 403)),
        (Kind.ACCESS_DENIED, "dynamodb", ("AccessDeniedException", 400)),
        (Kind.OPT_IN_REQUIRED, "drs", ("UnrecognizedClientException", 403)),
        (Kind.OPT_IN_REQUIRED, "ec2", ("AuthFailure", 401)),
        (Kind.OPT_IN_REQUIRED, "sts", ("InvalidClientTokenId", 403)),
        (Kind.UNINITIALIZED, "drs", ("UninitializedAccountException", 400)),
    ],
)
def test_refusals_in_each_service_s_own_words(
    aws: InProcess, kind: Kind, service: str, expected: tuple[str, int]
) -> None:
    aws.load(healthy(1))
    call = CALLS[service](aws.client(service))
    call()
    fault = world.faults.add(Fault(kind, service=service))
    assert code(call) == expected
    world.faults.remove(fault.id)
    call()


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.SERVER_ERROR])
def test_drs_says_when_to_come_back(aws: InProcess, kind: Kind) -> None:
    aws.load(healthy(1))
    world.faults.add(Fault(kind, seconds=7))
    with pytest.raises(ClientError) as caught:
        aws.drs().describe_jobs()
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"


def test_the_denial_names_the_caller_and_the_action(aws: InProcess) -> None:
    aws.load(healthy(1))
    world.faults.add(Fault(Kind.ACCESS_DENIED))
    with pytest.raises(ClientError, match=r"not authorized to perform: drs:DescribeJobs"):
        aws.drs().describe_jobs()


LOSSES = [
    (Kind.TIMEOUT_BEFORE, ReadTimeoutError, False),
    (Kind.TIMEOUT_AFTER, ReadTimeoutError, True),
    (Kind.DROP_BEFORE, ConnectionClosedError, False),
    (Kind.DROP_AFTER, ConnectionClosedError, True),
]


@pytest.mark.parametrize(("kind", "error", "effect"), LOSSES)
def test_lost_answers_in_process(
    aws: InProcess, kind: Kind, error: type[Exception], effect: bool
) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    wanted = ids(drs)
    world.faults.add(Fault(kind, operation="StartRecovery"))
    with pytest.raises(error):
        launch(drs, wanted)
    [call] = world.calls.matching(operation="StartRecovery")
    assert call.effect is effect
    assert call.status is None
    assert call.server_ids == wanted
    jobs = drs.describe_jobs()["items"]
    assert [each["jobID"] for each in jobs] == ([call.job_id] if effect else [])


@pytest.mark.parametrize(("kind", "error", "effect"), LOSSES)
def test_lost_answers_over_http(
    aws_server: OverHTTP, kind: Kind, error: type[Exception], effect: bool
) -> None:
    aws_server.control.load(healthy(1))
    aws_server.options["read_timeout"] = 1
    drs = aws_server.drs()
    wanted = ids(drs)
    aws_server.control.add_fault(kind, operation="StartRecovery")
    with pytest.raises(error):
        launch(drs, wanted)
    [call] = aws_server.control.calls(operation="StartRecovery")
    assert call["effect"] is effect
    assert len(aws_server.control.jobs()) == int(effect)


@pytest.mark.parametrize(
    ("service", "kind", "error"),
    [
        ("ec2", Kind.TIMEOUT_BEFORE, ReadTimeoutError),
        ("sts", Kind.DROP_BEFORE, ConnectionClosedError),
        ("dynamodb", Kind.DROP_AFTER, ConnectionClosedError),
    ],
)
def test_other_services_lose_answers_too(
    aws: InProcess, service: str, kind: Kind, error: type[Exception]
) -> None:
    aws.load(healthy(1))
    world.faults.add(Fault(kind, service=service))
    with pytest.raises(error):
        CALLS[service](aws.client(service))()


def test_a_write_to_dynamodb_whose_answer_is_lost_has_happened(aws: InProcess) -> None:
    aws.load(healthy(1))
    dynamodb = aws.client("dynamodb")
    world.faults.add(Fault(Kind.TIMEOUT_AFTER, operation="CreateTable"))
    with pytest.raises(ReadTimeoutError):
        dynamodb.create_table(
            TableName="plans",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    assert dynamodb.list_tables()["TableNames"] == ["plans"]


def test_an_unreachable_region(aws: InProcess) -> None:
    aws.load(healthy(1))
    world.faults.add(Fault(Kind.UNREACHABLE, region="us-east-1"))
    with pytest.raises(EndpointConnectionError):
        aws.drs().describe_jobs()
    with pytest.raises(ClientError, match="not initialized"):
        aws.drs(region="us-west-2").describe_jobs()


def test_a_region_without_drs_has_no_endpoint(aws: InProcess) -> None:
    aws.load(healthy(1))
    with pytest.raises(EndpointConnectionError):
        aws.drs(region="cn-north-1").describe_jobs()


def test_a_fault_keeps_to_its_place_and_is_spent(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    world.faults.add(
        Fault(Kind.THROTTLE, operation="Describe*", account="1*", region="us-east-?", times=2)
    )
    world.faults.add(Fault(Kind.THROTTLE, account="999999999999"))
    outcomes = []
    for _ in range(3):
        try:
            drs.describe_jobs()
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
        else:
            outcomes.append("ok")
    assert outcomes == ["ThrottlingException", "ThrottlingException", "ok"]


def test_a_probability_is_repeatable(aws: InProcess) -> None:
    runs = []
    for _ in range(2):
        aws.load(healthy(1) | {"seed": 7})
        drs = aws.drs()
        world.faults.add(Fault(Kind.SERVER_ERROR, probability=0.3))
        for _ in range(100):
            with contextlib.suppress(ClientError):
                drs.describe_jobs()
        runs.append([call.error for call in world.calls.matching()])
    assert runs[0] == runs[1]
    assert 15 < sum(error is not None for error in runs[0]) < 45


@pytest.mark.parametrize(
    ("kind", "extra", "tail"),
    [
        (Kind.SKIP, {}, ["SERVER_SKIPPED"]),
        (
            Kind.SNAPSHOT_FAIL,
            {},
            ["SNAPSHOT_START", "SNAPSHOT_FAIL", "USING_PREVIOUS_SNAPSHOT_FAILED"],
        ),
        (
            Kind.CONVERSION_FAIL,
            {},
            ["SNAPSHOT_START", "SNAPSHOT_END", "CONVERSION_START", "CONVERSION_FAIL"],
        ),
        (
            Kind.LAUNCH_FAIL,
            {"raw_error": "UnauthorizedOperation: CreateLaunchTemplateVersion"},
            [
                "SNAPSHOT_START",
                "SNAPSHOT_END",
                "CONVERSION_START",
                "CONVERSION_END",
                "LAUNCH_START",
                "LAUNCH_FAILED",
            ],
        ),
    ],
)
def test_a_server_that_fails_takes_no_other_with_it(
    aws: InProcess, kind: Kind, extra: dict[str, Any], tail: list[str]
) -> None:
    aws.load(healthy(3))
    drs = aws.drs()
    struck, *others = ids(drs)
    world.faults.add(Fault(kind, server=struck, **extra))
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, started["jobID"], struck) == tail
    ended = job(drs, started["jobID"])
    assert ended["status"] == "COMPLETED"
    assert statuses(ended) == {struck: "FAILED"} | dict.fromkeys(others, "LAUNCHED")
    [last] = [
        line
        for line in log(drs, started["jobID"])
        if line["eventData"].get("sourceServerID") == struck and line["event"] == tail[-1]
    ]
    assert last["eventData"]["rawError"] == extra.get("raw_error", last["eventData"]["rawError"])
    assert last["eventData"]["rawError"]


def test_a_failed_conversion_says_how_often_it_was_tried(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    world.faults.add(Fault(Kind.CONVERSION_FAIL))
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [failed] = [each for each in log(drs, started["jobID"]) if each["event"] == "CONVERSION_FAIL"]
    assert failed["eventData"]["attemptCount"] == failed["eventData"]["maxAttemptsCount"] == 3


def test_a_failed_snapshot_may_fall_back_to_the_previous_one(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    world.faults.add(Fault(Kind.SNAPSHOT_FAIL, server="web-01", fallback=True))
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, started["jobID"])[1:4] == [
        "SNAPSHOT_START",
        "SNAPSHOT_FAIL",
        "USING_PREVIOUS_SNAPSHOT",
    ]
    assert set(statuses(job(drs, started["jobID"])).values()) == {"LAUNCHED"}


def test_a_skipped_server_may_keep_another_status(aws: InProcess) -> None:
    aws.load(healthy(1) | {"settings": {"skipped_launch_status": "PENDING"}})
    drs = aws.drs()
    world.faults.add(Fault(Kind.SKIP))
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    ended = job(drs, started["jobID"])
    assert ended["status"] == "COMPLETED"
    assert set(statuses(ended).values()) == {"PENDING"}


def test_a_server_that_never_finishes_keeps_the_job_open(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs = aws.drs()
    world.faults.add(Fault(Kind.NEVER_FINISH, server="web-02"))
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH * 12)
    stuck = job(drs, started["jobID"])
    assert stuck["status"] == "STARTED"
    assert sorted(statuses(stuck).values()) == ["IN_PROGRESS", "LAUNCHED"]
    assert events(drs, started["jobID"])[-1] != "JOB_END"


def test_stalled_replication_while_the_fault_stands(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs = aws.drs()
    fault = world.faults.add(
        Fault(Kind.REPLICATION_STALLED, server="web-01", raw_error="The agent is silent.")
    )
    by_name = {
        each["sourceProperties"]["identificationHints"]["hostname"]: each["dataReplicationInfo"]
        for each in drs.describe_source_servers()["items"]
    }
    assert by_name["web-01"]["dataReplicationState"] == "STALLED"
    assert by_name["web-01"]["dataReplicationError"]["rawError"] == "The agent is silent."
    assert by_name["web-01"]["lagDuration"] == "PT10M"
    assert by_name["web-02"]["dataReplicationState"] == "CONTINUOUS"
    world.faults.remove(fault.id)
    states = {
        each["dataReplicationInfo"]["dataReplicationState"]
        for each in drs.describe_source_servers()["items"]
    }
    assert states == {"CONTINUOUS"}


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "NO_SUCH_KIND"},
        {"kind": "THROTTLE", "probability": 1.5},
        {"kind": "THROTTLE", "times": 0},
        {"kind": "THROTTLE", "servre": "s-1"},
        {},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault.from_dict(members)
