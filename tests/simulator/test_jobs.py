"""Launch and terminate jobs: their phases, their log and their times."""

from datetime import timedelta

import pytest

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.simulated_aws import START, InProcess, healthy
from tests.simulator.watching import (
    LONG_ENOUGH,
    at,
    events,
    ids,
    instances,
    job,
    launch,
    log,
    statuses,
)

LAUNCH_EVENTS = [
    "SNAPSHOT_START",
    "SNAPSHOT_END",
    "CONVERSION_START",
    "CONVERSION_END",
    "LAUNCH_START",
    "LAUNCH_END",
]
WINDOWS = "Microsoft Windows Server 2019 Datacenter 10.0.17763"


def test_the_answer_to_start_recovery_is_a_pending_job(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs = aws.drs()
    started = launch(drs)
    assert started["status"] == "PENDING"
    assert started["type"] == "LAUNCH"
    assert started["initiatedBy"] == "START_DRILL"
    assert started["participatingResources"] == []
    assert "endDateTime" not in started
    assert set(statuses(started).values()) == {"PENDING"}
    assert at(started["creationDateTime"]) == START


def test_a_recovery_is_initiated_by_start_recovery(aws: InProcess) -> None:
    aws.load(healthy(1))
    assert launch(aws.drs(), drill=False)["initiatedBy"] == "START_RECOVERY"


def test_the_job_goes_through_its_phases_in_the_times_of_real_drills(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs = aws.drs()
    started = launch(drs)
    seen = []
    for seconds, launch_status in ((0, "PENDING"), (60, "PENDING"), (240, "IN_PROGRESS")):
        aws.clock.advance(START + timedelta(seconds=seconds) - aws.clock.now())
        now = job(drs, started["jobID"])
        seen.append(now["status"])
        assert set(statuses(now).values()) == {launch_status}
    assert seen == ["PENDING", "STARTED", "STARTED"]
    aws.clock.advance(LONG_ENOUGH)
    ended = job(drs, started["jobID"])
    assert ended["status"] == "COMPLETED"
    assert set(statuses(ended).values()) == {"LAUNCHED"}
    took = at(ended["endDateTime"]) - at(ended["creationDateTime"])
    assert timedelta(minutes=8) < took < timedelta(minutes=10)


def test_windows_takes_about_24_minutes(aws: InProcess) -> None:
    aws.load(healthy(2, os_name=WINDOWS))
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    ended = job(drs, started["jobID"])
    took = at(ended["endDateTime"]) - at(ended["creationDateTime"])
    assert timedelta(minutes=22) < took < timedelta(minutes=26)


def test_every_server_has_every_event_once_between_start_and_end(aws: InProcess) -> None:
    aws.load(healthy(5))
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    lines = log(drs, started["jobID"])
    assert lines[0]["event"] == "JOB_START"
    assert lines[-1]["event"] == "JOB_END"
    assert lines[0]["eventData"] == lines[-1]["eventData"] == {}
    for server_id in ids(drs):
        assert events(drs, started["jobID"], server_id) == LAUNCH_EVENTS
    times = [at(line["logDateTime"]) for line in lines]
    assert times == sorted(times)
    assert times[-1] == at(job(drs, started["jobID"])["endDateTime"])


def test_servers_of_one_system_move_in_lock_step(aws: InProcess) -> None:
    aws.load(healthy(12))
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    order = [event for event in events(drs, started["jobID"]) if not event.startswith("JOB")]
    before_launch = [event for event in LAUNCH_EVENTS[:5] for _ in range(12)]
    assert order[: len(before_launch)] == before_launch


def test_an_answer_does_not_depend_on_how_often_somebody_looked(aws: InProcess) -> None:
    logs = []
    for looks in (1, 40):
        aws.load(healthy(3))
        drs = aws.drs()
        began = aws.clock.now()
        started = launch(drs)
        for _ in range(looks):
            aws.clock.advance(timedelta(minutes=20) / looks)
            job(drs, started["jobID"])
        logs.append(
            [
                (line["event"], at(line["logDateTime"]) - began)
                for line in log(drs, started["jobID"])
            ]
        )
    assert logs[0] == logs[1]


def test_speed_divides_the_phases(aws: InProcess) -> None:
    aws.load(healthy(1))
    world.clock.speed = 60
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(timedelta(seconds=12))
    ended = job(drs, started["jobID"])
    took = at(ended["endDateTime"]) - at(ended["creationDateTime"])
    assert timedelta(seconds=8) < took < timedelta(seconds=10)


def test_a_pinned_recovery_point_needs_no_snapshot(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server_id] = ids(drs)
    point = drs.describe_recovery_snapshots(sourceServerID=server_id, order="DESC")["items"][3]
    started = drs.start_recovery(
        sourceServers=[{"sourceServerID": server_id, "recoverySnapshotID": point["snapshotID"]}]
    )["job"]
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, started["jobID"], server_id) == LAUNCH_EVENTS[2:]
    made = instances(drs)[server_id]
    assert at(made["pointInTimeSnapshotDateTime"]) == at(point["expectedTimestamp"])


def test_the_instance_of_a_server_that_lags_is_as_old_as_the_lag(aws: InProcess) -> None:
    aws.load(healthy(1, replication={"state": "BACKLOG", "lagSeconds": 3600}))
    drs = aws.drs()
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [made] = instances(drs).values()
    # The lag grows with time, so the data stays as it was an hour before the start.
    assert at(made["pointInTimeSnapshotDateTime"]) == START - timedelta(hours=1)


def test_the_server_shows_its_last_launch(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [before] = drs.describe_source_servers()["items"]
    assert before["lastLaunchResult"] == "NOT_STARTED"
    assert before["lifeCycle"]["lastLaunch"] == {"initiated": {}}
    started = launch(drs)
    [during] = drs.describe_source_servers()["items"]
    assert during["lastLaunchResult"] == "PENDING"
    assert during["lifeCycle"]["lastLaunch"]["initiated"]["type"] == "DRILL"
    assert during["lifeCycle"]["lastLaunch"]["initiated"]["jobID"] == started["jobID"]
    aws.clock.advance(LONG_ENOUGH)
    [after] = drs.describe_source_servers()["items"]
    assert after["lastLaunchResult"] == "SUCCEEDED"
    assert after["recoveryInstanceId"] == instances(drs)[after["sourceServerID"]]["ec2InstanceID"]


def test_a_second_launch_first_removes_the_instance_of_the_first(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs, ec2 = aws.drs(), aws.client("ec2")
    [server_id] = ids(drs)
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    first = instances(drs)[server_id]["recoveryInstanceID"]
    second_job = launch(drs, drill=False)
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, second_job["jobID"], server_id) == [
        "CLEANUP_START",
        "CLEANUP_END",
        *LAUNCH_EVENTS,
    ]
    second = instances(drs)[server_id]
    assert second["recoveryInstanceID"] != first
    assert second["isDrill"] is False
    [gone] = ec2.describe_instances(InstanceIds=[first])["Reservations"]
    assert gone["Instances"][0]["State"]["Name"] == "terminated"


def test_termination(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs, ec2 = aws.drs(), aws.client("ec2")
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [kept, ended] = sorted(instances(drs).values(), key=lambda each: each["sourceServerID"])
    instance_id = ended["recoveryInstanceID"]
    started = drs.terminate_recovery_instances(recoveryInstanceIDs=[instance_id])["job"]
    assert started["type"] == "TERMINATE"
    assert started["initiatedBy"] == "TERMINATE_RECOVERY_INSTANCES"
    aws.clock.advance(timedelta(seconds=30))
    during = instances(drs)[ended["sourceServerID"]]
    assert during["ec2InstanceState"] == "SHUTTING-DOWN"
    assert set(statuses(job(drs, started["jobID"])).values()) == {"IN_PROGRESS"}
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, started["jobID"]) == ["JOB_START", "CLEANUP_START", "CLEANUP_END", "JOB_END"]
    assert statuses(job(drs, started["jobID"])) == {ended["sourceServerID"]: "TERMINATED"}
    assert list(instances(drs)) == [kept["sourceServerID"]]
    [reservation] = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "terminated"


def test_termination_protection_fails_that_server_only(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs, ec2 = aws.drs(), aws.client("ec2")
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    made = instances(drs)
    protected, other = sorted(made)
    ec2.modify_instance_attribute(
        InstanceId=made[protected]["ec2InstanceID"], DisableApiTermination={"Value": True}
    )
    started = drs.terminate_recovery_instances(
        recoveryInstanceIDs=[each["recoveryInstanceID"] for each in made.values()]
    )["job"]
    aws.clock.advance(LONG_ENOUGH)
    ended = job(drs, started["jobID"])
    assert ended["status"] == "COMPLETED"
    assert statuses(ended) == {protected: "FAILED", other: "TERMINATED"}
    assert events(drs, started["jobID"], protected) == ["CLEANUP_START", "CLEANUP_FAIL"]
    assert list(instances(drs)) == [protected]


def test_jobs_are_listed_newest_first_and_filtered_by_time(aws: InProcess) -> None:
    aws.load(healthy(3))
    drs = aws.drs()
    started = []
    for server_id in ids(drs):
        started.append(launch(drs, [server_id])["jobID"])
        aws.clock.advance(timedelta(minutes=1))
    listed = [item["jobID"] for item in drs.describe_jobs()["items"]]
    assert listed == started[::-1]
    since = (START + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    until = (START + timedelta(seconds=90)).isoformat().replace("+00:00", "Z")
    found = drs.describe_jobs(filters={"fromDate": since, "toDate": until})["items"]
    assert [item["jobID"] for item in found] == [started[1]]


def test_a_job_in_progress_is_not_deleted(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    started = launch(drs)
    with pytest.raises(drs.exceptions.ConflictException):
        drs.delete_job(jobID=started["jobID"])
    aws.clock.advance(LONG_ENOUGH)
    drs.delete_job(jobID=started["jobID"])
    assert drs.describe_jobs()["items"] == []


def test_a_new_job_may_be_listed_late(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    world.faults.add(Fault(Kind.LIST_LATE, seconds=90))
    started = launch(drs)
    aws.clock.advance(timedelta(seconds=89))
    assert drs.describe_jobs()["items"] == []
    aws.clock.advance(timedelta(seconds=1))
    assert job(drs, started["jobID"])["jobID"] == started["jobID"]


def test_the_strict_model_leaves_out_what_the_model_does_not_have(aws: InProcess) -> None:
    aws.load(healthy(1) | {"settings": {"strict_model": True}})
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    assert "LAUNCH_END" not in events(drs, started["jobID"])
    assert job(drs, started["jobID"])["endDateTime"].endswith("Z")
