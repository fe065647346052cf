"""The call log: how often what was called, with which servers, and what came of it."""

import pytest
from botocore.exceptions import ClientError

from drportal.simulator import company
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, healthy
from tests.simulator.watching import LONG_ENOUGH, ids, instances, launch


def test_a_start_is_logged_with_its_servers_and_its_job(aws: InProcess) -> None:
    aws.load(healthy(3))
    drs = aws.drs()
    wanted = ids(drs)[:2]
    started = launch(drs, wanted)
    [call] = world.calls.matching(operation="StartRecovery")
    assert call.server_ids == wanted
    assert call.params["isDrill"] is True
    assert call.job_id == started["jobID"]
    assert (call.status, call.error, call.outcome, call.effect) == (202, None, "ok", True)
    assert (call.service, call.account, call.region) == ("drs", company.HUB, "us-east-1")
    assert call.at == aws.clock.now()


def test_a_termination_is_logged_with_its_instances(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [made] = instances(drs).values()
    drs.terminate_recovery_instances(recoveryInstanceIDs=[made["recoveryInstanceID"]])
    [call] = world.calls.matching(operation="TerminateRecoveryInstances")
    assert call.server_ids == [made["recoveryInstanceID"]]


def test_a_refusal_is_logged_without_effect(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    launch(drs)
    with pytest.raises(ClientError):
        launch(drs)
    calls = world.calls.matching(operation="StartRecovery")
    assert [call.effect for call in calls] == [True, False]
    assert [call.error for call in calls] == [None, "ConflictException"]
    assert calls[1].status == 409


def test_all_services_are_logged_with_account_region_and_session(aws: InProcess) -> None:
    aws.load(company.scenario())
    keys = aws.assume(company.RETAIL)
    aws.client("ec2", "us-west-2", keys).describe_subnets()
    aws.client("dynamodb").list_tables()
    aws.client("drs", "us-east-1", keys).describe_source_servers()
    logged = [
        (each.service, each.operation, each.account, each.region) for each in world.calls.matching()
    ]
    assert logged == [
        ("sts", "AssumeRole", company.HUB, "us-east-1"),
        ("ec2", "DescribeSubnets", company.RETAIL, "us-west-2"),
        ("dynamodb", "ListTables", company.HUB, "us-east-1"),
        ("drs", "DescribeSourceServers", company.RETAIL, "us-east-1"),
    ]
    [call] = world.calls.matching(service="ec2")
    assert call.role_session == (
        f"arn:aws:sts::{company.RETAIL}:assumed-role/{company.ROLE}/portal"
    )
    assert world.calls.by_operation(account=company.RETAIL) == {
        "drs:DescribeSourceServers": 1,
        "ec2:DescribeSubnets": 1,
    }


def test_tag_operations_are_logged_by_name(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server] = drs.describe_source_servers()["items"]
    drs.tag_resource(resourceArn=server["arn"], tags={"Wave": "1"})
    drs.untag_resource(resourceArn=server["arn"], tagKeys=["Wave"])
    drs.list_tags_for_resource(resourceArn=server["arn"])
    calls = [each for each in world.calls.matching() if "tag" in each.operation.lower()]
    assert [each.operation for each in calls] == [
        "TagResource",
        "UntagResource",
        "ListTagsForResource",
    ]
    assert {each.params["resourceArn"] for each in calls} == {server["arn"]}


def test_counting_since_a_number(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    for _ in range(3):
        drs.describe_jobs()
    assert world.calls.count(operation="DescribeJobs") == 3
    assert world.calls.count(since=2, operation="DescribeJobs") == 1
    with pytest.raises(ValueError, match="A call has no opration"):
        world.calls.count(opration="DescribeJobs")


def test_botocore_s_retries_are_calls_of_their_own(aws: InProcess) -> None:
    aws.load(healthy(1) | {"faults": [{"kind": "THROTTLE", "times": 1, "seconds": 0}]})
    aws.options["retries"] = {"total_max_attempts": 3, "mode": "standard"}
    aws.drs().describe_jobs()
    errors = [call.error for call in world.calls.matching(operation="DescribeJobs")]
    assert errors == ["ThrottlingException", None]
