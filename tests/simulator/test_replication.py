"""Replication states of source servers, their lag and their first sync."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drportal.simulator import servers
from drportal.simulator.servers import set_replication
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, healthy
from tests.simulator.watching import at, ids, launch

HUNDRED_GIB = [{"device": "/dev/xvda", "GiB": 100}]


def info(drs: Any) -> dict[str, Any]:
    [server] = drs.describe_source_servers()["items"]
    return dict(server["dataReplicationInfo"])


def test_a_healthy_server_has_no_lag(aws: InProcess) -> None:
    aws.load(healthy(1))
    found = info(aws.drs())
    assert found["dataReplicationState"] == "CONTINUOUS"
    assert found["lagDuration"] == "P0D"
    [disk] = found["replicatedDisks"]
    assert disk["replicatedStorageBytes"] == disk["totalStorageBytes"] > 0
    assert disk["backloggedStorageBytes"] == 0
    assert "dataReplicationError" not in found


@pytest.mark.parametrize("state", ["BACKLOG", "STALLED", "PAUSED"])
def test_the_lag_of_a_server_that_falls_behind_grows(aws: InProcess, state: str) -> None:
    aws.load(healthy(1, replication={"state": state, "lagSeconds": 1800}))
    drs = aws.drs()
    before = info(drs)
    assert before["lagDuration"] == "PT30M"
    aws.clock.advance(timedelta(minutes=45, seconds=30))
    after = info(drs)
    assert after["lagDuration"] == "PT1H15M30S"
    backlog = [each["replicatedDisks"][0]["backloggedStorageBytes"] for each in (before, after)]
    assert 0 < backlog[0] < backlog[1]


def test_a_stopped_server_starts_from_nothing_and_becomes_healthy(aws: InProcess) -> None:
    aws.load(healthy(1, disks=HUNDRED_GIB))
    drs = aws.drs()
    [server_id] = ids(drs)
    stopped = drs.stop_replication(sourceServerID=server_id)["sourceServer"]
    assert stopped["dataReplicationInfo"]["dataReplicationState"] == "STOPPED"
    assert drs.describe_recovery_snapshots(sourceServerID=server_id)["items"] == []
    with pytest.raises(drs.exceptions.ConflictException):
        drs.stop_replication(sourceServerID=server_id)
    drs.start_replication(sourceServerID=server_id)
    with pytest.raises(drs.exceptions.ConflictException):
        drs.start_replication(sourceServerID=server_id)
    seen: list[str] = []
    for _ in range(40):
        found = info(drs)["dataReplicationState"]
        if found not in seen:
            seen.append(found)
        aws.clock.advance(timedelta(seconds=30))
    assert seen == ["INITIATING", "INITIAL_SYNC", "CREATING_SNAPSHOT", "CONTINUOUS"]


def test_the_eleven_steps_of_an_initiation(aws: InProcess) -> None:
    aws.load(healthy(1, replication={"state": "STOPPED"}))
    drs = aws.drs()
    drs.start_replication(sourceServerID=ids(drs)[0])
    aws.clock.advance(timedelta(seconds=70))
    initiation = info(drs)["dataReplicationInitiation"]
    statuses = [step["status"] for step in initiation["steps"]]
    assert statuses == ["SUCCEEDED"] * 3 + ["IN_PROGRESS"] + ["NOT_STARTED"] * 7


def test_the_first_sync_shows_its_progress_and_its_end(aws: InProcess) -> None:
    aws.load(healthy(1, disks=HUNDRED_GIB, replication={"state": "STOPPED"}))
    drs = aws.drs()
    drs.start_replication(sourceServerID=ids(drs)[0])
    shares = []
    for _ in range(3):
        aws.clock.advance(timedelta(minutes=5))
        [disk] = info(drs)["replicatedDisks"]
        shares.append(disk["replicatedStorageBytes"] / disk["totalStorageBytes"])
    assert 0 < shares[0] < shares[1] < shares[2] < 1
    eta = at(info(drs)["etaDateTime"])
    assert eta > aws.clock.now()
    aws.clock.advance(eta - aws.clock.now())
    assert info(drs)["dataReplicationState"] == "CONTINUOUS"
    assert launch(drs)["status"] == "PENDING"


def test_speed_hurries_the_first_sync(aws: InProcess) -> None:
    aws.load(healthy(1, disks=HUNDRED_GIB, replication={"state": "STOPPED"}))
    world.clock.speed = 60
    drs = aws.drs()
    drs.start_replication(sourceServerID=ids(drs)[0])
    aws.clock.advance(timedelta(seconds=30))
    assert info(drs)["dataReplicationState"] == "CONTINUOUS"


def test_an_error_is_shown_with_its_text(aws: InProcess) -> None:
    replication = {"state": "STALLED", "error": "AGENT_NOT_SEEN", "rawError": "Silent."}
    aws.load(healthy(1, replication=replication))
    assert info(aws.drs())["dataReplicationError"] == {
        "error": "AGENT_NOT_SEEN",
        "rawError": "Silent.",
    }


def test_a_disconnected_server_has_neither_lag_nor_disks(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    drs.disconnect_source_server(sourceServerID=ids(drs)[0])
    found = info(drs)
    assert "lagDuration" not in found
    assert found["replicatedDisks"][0]["totalStorageBytes"] == 0


def test_a_server_is_seen_while_its_agent_speaks(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    backend = aws.backend()
    [server] = backend.servers.values()
    set_replication(server, "STALLED", error="AGENT_NOT_SEEN")
    aws.clock.advance(timedelta(hours=5))
    [shown] = drs.describe_source_servers()["items"]
    seen = at(shown["lifeCycle"]["lastSeenByServiceDateTime"])
    assert aws.clock.now() - seen == timedelta(hours=5)


def test_filters(aws: InProcess) -> None:
    aws.load(healthy(3))
    drs = aws.drs()
    first, second, _ = ids(drs)
    found = drs.describe_source_servers(
        filters={"sourceServerIDs": [second, first, second, "s-0123456789abcdef0"]}
    )["items"]
    assert [each["sourceServerID"] for each in found] == [first, second]
    named = drs.describe_source_servers(filters={"hardwareId": "web-03"})["items"]
    assert len(named) == 1
    assert (
        drs.describe_source_servers(filters={"stagingAccountIDs": ["999999999999"]})["items"] == []
    )


def test_unknown_servers_are_not_found(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    for call in (
        drs.get_launch_configuration,
        drs.get_replication_configuration,
        drs.start_replication,
        drs.stop_replication,
        drs.disconnect_source_server,
        drs.delete_source_server,
    ):
        with pytest.raises(ClientError) as caught:
            call(sourceServerID="s-0123456789abcdef0")
        answer = caught.value.response
        assert answer["Error"]["Code"] == "ResourceNotFoundException"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_four_thousand_servers_are_each_rendered_once(
    aws: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.load(healthy(1))
    backend = aws.backend()
    [one] = backend.servers.values()
    for number in range(3999):
        servers.add_server(
            backend,
            _copy(one, f"s-{number:017d}", backend.arn_of("source-server", f"s-{number:017d}")),
            tags={},
        )
    rendered: list[str] = []
    described = servers.described

    def counted(backend: Any, server: Any) -> dict[str, Any]:
        rendered.append(server.id)
        return described(backend, server)

    monkeypatch.setattr(servers, "described", counted)
    pages = (
        aws.drs()
        .get_paginator("describe_source_servers")
        .paginate(PaginationConfig={"PageSize": 200})
    )
    found = [item["sourceServerID"] for page in pages for item in page["items"]]
    assert found == sorted(backend.servers)
    assert rendered == found


def _copy(server: Any, identifier: str, arn: str) -> Any:
    return replace(server, id=identifier, arn=arn)
