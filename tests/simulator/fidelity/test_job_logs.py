"""Job logs: their grammar, and the time that the phases of a real drill took."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from drportal.simulator.world import world
from tests.simulator.fidelity import grammar
from tests.simulator.fidelity.estate import server_id

# Seconds in the raw logs of the two drills of two Linux servers that AWS published with its
# drs-plan-automation sample.
DRILLS = {
    "create": (0.4, 0.3),
    "SNAPSHOT_START": (0.4, 0.4),
    "SNAPSHOT_END": (0.2, 0.2),
    "CONVERSION_START": (52, 51),
    "CONVERSION_END": (198, 175),
    "LAUNCH_START": (0.6, 0.5),
    "LAUNCH_END": (278, 310),
    "JOB_END": (2.8, 2.1),
    "all": (533, 539),
}
PHASES = (
    "SNAPSHOT_START",
    "SNAPSHOT_END",
    "CONVERSION_START",
    "CONVERSION_END",
    "LAUNCH_START",
    "LAUNCH_END",
)
DATA = {
    "JOB_START": set(),
    "JOB_END": set(),
    "CONVERSION_END": {"sourceServerID", "conversionServerID"},
    "LAUNCH_END": {"sourceServerID", "targetInstanceID"},
}


def test_every_log_of_the_long_run_follows_the_grammar(recorded, recorded_strictly):
    wrong = {
        job: found
        for job, log in recorded.play.logs.items()
        if (found := grammar.faults(recorded.play.jobs[job], log))
    }
    assert wrong == {}
    assert len(recorded.play.logs) > 10
    assert {job["type"] for job in recorded.play.jobs.values()} == {"LAUNCH", "TERMINATE"}
    assert "FAILBACK" in {job["initiatedBy"] for job in recorded.play.jobs.values()}


def test_a_running_job_has_the_beginning_of_its_log(player, clock):
    started = player.call("StartRecovery", sourceServers=[{"sourceServerID": server_id("web-1")}])
    job = started["job"]["jobID"]
    assert started["job"]["status"] == "PENDING"
    shown: dict[str, Any] = {}
    seen: list[Any] = []
    for _ in range(60):
        shown = player.call("DescribeJobs", filters={"jobIDs": [job]})["items"][0]
        log = player.call("DescribeJobLogItems", jobID=job)["items"]
        assert grammar.faults(shown, log) == []
        assert log[: len(seen)] == seen
        seen = log
        clock.advance(timedelta(seconds=11))
    assert shown["status"] == "COMPLETED"


@pytest.fixture
def drill(player, clock):
    """The log of a drill of two Linux servers, and when the job was made and ended."""
    servers = [{"sourceServerID": server_id(name)} for name in ("web-1", "web-2")]
    job = player.call("StartRecovery", sourceServers=servers, isDrill=True)["job"]["jobID"]
    clock.advance(timedelta(hours=1))
    shown = player.call("DescribeJobs", filters={"jobIDs": [job]})["items"][0]
    return shown, player.call("DescribeJobLogItems", jobID=job)["items"]


def moments(log, event):
    return [datetime.fromisoformat(item["logDateTime"]) for item in log if item["event"] == event]


def test_a_drill_has_the_events_of_the_real_one(drill):
    _, log = drill
    expected = ["JOB_START"] + [event for event in PHASES for _ in range(2)] + ["JOB_END"]

    assert [item["event"] for item in log] == expected
    for item in log:
        assert set(item["eventData"]) == DATA.get(item["event"], {"sourceServerID"})
    converters = [each["eventData"].get("conversionServerID") for each in log]
    assert len({each for each in converters if each}) == 2


def test_a_drill_takes_the_time_of_the_real_one(drill):
    job, log = drill
    took = {
        "create": moments(log, "JOB_START")[0] - datetime.fromisoformat(job["creationDateTime"]),
        "all": datetime.fromisoformat(job["endDateTime"])
        - datetime.fromisoformat(job["creationDateTime"]),
        "JOB_END": moments(log, "JOB_END")[0] - moments(log, "LAUNCH_END")[-1],
    }
    for before, after in pairwise(["JOB_START", *PHASES]):
        took[after] = moments(log, after)[0] - moments(log, before)[-1]
    took["LAUNCH_END"] = moments(log, "LAUNCH_END")[-1] - moments(log, "LAUNCH_START")[-1]

    for phase, seconds in DRILLS.items():
        slack = max(0.3, 0.06 * max(seconds))
        assert min(seconds) - slack <= took[phase].total_seconds() <= max(seconds) + slack, phase


def test_servers_move_in_near_lock_step(drill):
    _, log = drill
    for event in PHASES[:-1]:
        first, second = moments(log, event)
        assert second - first <= timedelta(milliseconds=50)


def test_speed_divides_what_takes_time(player, clock):
    clock.speed = 60
    started = player.call("StartRecovery", sourceServers=[{"sourceServerID": server_id("web-1")}])
    clock.advance(timedelta(minutes=5))
    job = player.call("DescribeJobs")["items"][0]

    assert job["jobID"] == started["job"]["jobID"]
    took = datetime.fromisoformat(job["endDateTime"]) - datetime.fromisoformat(
        job["creationDateTime"]
    )
    assert timedelta(seconds=8) < took < timedelta(seconds=10)
    assert world.clock is clock
