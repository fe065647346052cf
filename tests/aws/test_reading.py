"""What the gateway asks of DRS and EC2, and how it tells what they said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from drportal.aws.drs import Drs, parse_duration, parse_time
from drportal.aws.ec2 import Ec2
from drportal.aws.regions import drs_regions, is_drs_region, watched_regions
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, WriteRefused, client, refuse_writes
from drportal.observability import correlated
from drportal.simulator.clock import ManualClock
from drportal.simulator.world import world
from recovery.states import ExecutionState
from tests.worlds import (
    EAST,
    EXTERNAL_ID,
    HUB,
    NORTH,
    SOUTH,
    Driver,
    drill,
    group_of,
    launches,
    plan_of,
    registered,
    role,
    server,
    wave,
    world_of,
)

SCOPE = Scope(Account(NORTH, role(NORTH), EXTERNAL_ID), EAST)
READING = ("Describe", "Get", "List")
OPERATIONS = botocore.session.get_session().get_service_model("drs").operation_names


def _forward(minutes: float) -> None:
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(timedelta(minutes=minutes))


def _ids() -> list[str]:
    return [found.server_id for found in Drs(SCOPE).source_servers()]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_client_for_reading_reads_and_does_not_write(operation: str) -> None:
    model = botocore.session.get_session().get_service_model("drs").operation_model(operation)
    if operation.startswith(READING):
        refuse_writes(model)
    else:
        with pytest.raises(WriteRefused, match=f"drs:{operation}"):
            refuse_writes(model)


def test_the_refusal_happens_before_anything_is_sent(aws) -> None:
    world_of([server("db-1")])
    reader = client("drs", Use.READ, SCOPE)
    [one] = _ids()
    with pytest.raises(WriteRefused):
        reader.start_recovery(sourceServers=[{"sourceServerID": one}])
    with pytest.raises(WriteRefused):
        client("ec2", Use.READ, SCOPE).terminate_instances(InstanceIds=["i-0123456789abcdef0"])
    assert launches() == []
    assert world.calls.count(operation="TerminateInstances") == 0


def test_servers_are_listed_with_all_that_drs_says(aws) -> None:
    world_of([server(f"web-{number}") for number in range(3)])
    found = list(Drs(SCOPE).source_servers())
    assert {each.raw["sourceProperties"]["identificationHints"]["hostname"] for each in found} == {
        "web-0",
        "web-1",
        "web-2",
    }
    assert [each.arn for each in found] == [
        f"arn:aws:drs:{EAST}:{NORTH}:source-server/{each.server_id}" for each in found
    ]
    assert "sourceProperties" not in repr(found[0])


def test_a_job_is_followed_from_its_start_to_its_instances(aws) -> None:
    world_of([server("db-1"), server("db-2")])
    drs, wanted = Drs(SCOPE), _ids()
    started = drs.start_recovery(wanted, drill=True)
    assert started.server_ids == frozenset(wanted)
    assert (started.kind, started.initiated_by) == ("LAUNCH", "START_DRILL")
    assert not started.completed
    assert started.created_at is not None
    assert started.created_at.tzinfo is not None
    [call] = launches()
    assert call.params["isDrill"] is True
    assert "tags" not in call.params
    _forward(45)  # less than a role session lasts
    [ended] = drs.jobs_since(started.created_at)
    assert ended.job_id == started.job_id
    assert ended.completed
    assert ended.ended_at is not None
    assert {each.launch_status for each in ended.participants} == {"LAUNCHED"}
    log = drs.job_log(started.job_id)
    assert [item.at for item in log] == sorted(item.at for item in log if item.at)
    assert {item.server_id for item in log} == {"", *wanted}
    made = drs.recovery_instances(wanted)
    assert {each.server_id for each in made} == set(wanted)
    assert {(each.job_id, each.is_drill) for each in made} == {(started.job_id, True)}
    instances = Ec2(SCOPE).instances([each.instance_id for each in made])
    assert {each.state for each in instances.values()} == {"running"}


def test_a_recovery_is_no_drill(aws) -> None:
    world_of([server("db-1")])
    assert Drs(SCOPE).start_recovery(_ids(), drill=False).initiated_by == "START_RECOVERY"


def test_jobs_since_leaves_out_older_ones_newest_first(aws) -> None:
    world_of([server("db-1"), server("db-2"), server("db-3")])
    drs, jobs = Drs(SCOPE), []
    for each in _ids():
        jobs.append(drs.start_recovery([each], drill=True))
        _forward(10)
    middle = jobs[1].created_at
    assert middle is not None
    assert [job.job_id for job in drs.jobs_since(middle)] == [jobs[2].job_id, jobs[1].job_id]
    assert drs.jobs_since(middle + timedelta(days=1)) == []


def _recorded(monkeypatch, page: dict[str, Any]) -> list[dict[str, Any]]:
    """What is asked page by page, in the place of AWS."""
    asked: list[dict[str, Any]] = []

    def pages(made: Any, method: str, **arguments: Any) -> list[dict[str, Any]]:
        asked.append({"method": method, **arguments})
        return [page]

    monkeypatch.setattr("drportal.aws.session.pages", pages)
    return asked


@pytest.mark.parametrize(("count", "batches"), [(0, []), (200, [200]), (401, [200, 200, 1])])
def test_recovery_instances_are_asked_in_batches(
    aws, monkeypatch, count: int, batches: list[int]
) -> None:
    world_of([])
    asked = _recorded(monkeypatch, {"items": [{"recoveryInstanceID": "i-1"}]})
    wanted = [f"s-{number:017x}" for number in range(count)]
    found = Drs(SCOPE).recovery_instances(wanted)
    sent = [each["filters"]["sourceServerIDs"] for each in asked]
    assert [len(batch) for batch in sent] == batches
    assert [one for batch in sent for one in batch] == wanted
    assert len(found) == len(batches)
    assert all(
        (each.job_id, each.is_drill, each.point_in_time) == ("", None, None) for each in found
    )


@pytest.mark.parametrize(("count", "batches"), [(0, []), (100, [100]), (250, [100, 100, 50])])
def test_instances_are_asked_in_batches(aws, monkeypatch, count: int, batches: list[int]) -> None:
    world_of([])
    asked = _recorded(monkeypatch, {"Reservations": []})
    wanted = [f"i-{number:017x}" for number in range(count)]
    assert Ec2(SCOPE).instances(wanted) == {}
    sent = [each["Filters"][0]["Values"] for each in asked]
    assert [len(batch) for batch in sent] == batches
    assert [one for batch in sent for one in batch] == wanted


def test_instances_that_are_gone_are_left_out(aws) -> None:
    world_of([])
    writer = client("ec2", Use.WRITE, SCOPE)
    answer = writer.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="m6i.large"
    )
    [made] = answer["Instances"]
    gone = [f"i-{number:017x}" for number in range(150)]
    found = Ec2(SCOPE).instances([*gone, made["InstanceId"]])
    [instance] = found.values()
    assert found.keys() == {made["InstanceId"]}
    assert (instance.state, instance.instance_type) == ("running", "m6i.large")
    assert instance.private_ip == made["PrivateIpAddress"]
    assert (instance.subnet_id, instance.vpc_id) == (made["SubnetId"], made["VpcId"])
    assert instance.availability_zone.startswith(EAST)
    assert instance.launched_at is not None
    assert instance.launched_at.tzinfo is not None


def test_an_instance_that_has_nothing_yet_has_nothing(aws, monkeypatch) -> None:
    world_of([])
    _recorded(monkeypatch, {"Reservations": [{"Instances": [{"InstanceId": "i-1"}]}]})
    [instance] = Ec2(SCOPE).instances(["i-1"]).values()
    assert (instance.state, instance.private_ip, instance.launched_at) == ("", "", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-15T12:00:00Z", datetime(2026, 1, 15, 12, tzinfo=UTC)),
        ("2026-01-15T14:00:00+02:00", datetime(2026, 1, 15, 12, tzinfo=UTC)),
        ("2026-01-15T12:00:00.5", datetime(2026, 1, 15, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_aware(text: str | None, expected: datetime | None) -> None:
    assert parse_time(text) == expected


def test_what_is_no_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        parse_time("yesterday")


@pytest.mark.parametrize(
    "text", ["PT1.2.3S", "PT.S", "P", "PT", "1H", "P1Y", "P-1D", "P99999999999999D", "", None]
)
def test_what_is_no_duration_is_none(text: str | None) -> None:
    assert parse_duration(text) is None


def test_drs_is_where_botocore_says(settings) -> None:
    settings.DRS_REGIONS = []
    assert {EAST, "us-west-2", "eu-central-1"} <= set(drs_regions())
    assert list(drs_regions()) == sorted(drs_regions())
    assert watched_regions() == drs_regions()
    assert is_drs_region(EAST)
    assert is_drs_region("us-gov-west-1")
    assert "us-gov-west-1" not in drs_regions()
    assert "us-gov-west-1" in drs_regions("aws-us-gov")
    for wrong in ("mars-north-1", "", "US-EAST-1", "us-east-1 "):
        assert not is_drs_region(wrong)


def test_the_setting_limits_what_is_watched(settings) -> None:
    settings.DRS_REGIONS = ["us-west-2", EAST, "mars-north-1"]
    assert watched_regions() == (EAST, "us-west-2")
    assert watched_regions("aws-us-gov") == ()
    assert is_drs_region("eu-central-1")


@pytest.mark.django_db(transaction=True)
def test_the_id_of_the_click_goes_with_every_call_of_the_execution(aws, driver: Driver) -> None:
    world_of([server("db-1"), server("db-2", account=SOUTH)])
    registered()
    plan = plan_of(wave("Databases", group_of("db"), group_of("db", account=SOUTH)))
    with correlated("clicked-by-pat"):
        execution = drill(plan)
    since = world.calls.count()
    with correlated("a-workers-own-id"):
        assert driver.run(execution).state == ExecutionState.COMPLETED
    started = launches()
    assert {call.account for call in started} == {NORTH, SOUTH}
    assert {call.user_agent.rsplit(" ", 1)[1] for call in started} == {"drportal/clicked-by-pat"}
    looks = world.calls.matching(since=since)
    assert {call.user_agent.rsplit(" ", 1)[1] for call in looks} == {
        "drportal/clicked-by-pat",
        "drportal/a-workers-own-id",
    }


def test_the_hub_asks_as_itself(aws) -> None:
    world_of([server("hub-1", account=HUB)])
    found = list(Drs(Scope(Account(HUB), EAST)).source_servers())
    assert len(found) == 1
    assert world.calls.count(operation="AssumeRole") == 0
