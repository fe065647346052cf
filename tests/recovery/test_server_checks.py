"""Checks after launch: a launched server counts once it has passed them, and never before."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.engine.checks import Finding, Found
from recovery.models import Execution, ServerCheck, Wave
from recovery.services import check_commands, check_requests, checking, server_checks
from recovery.states import ExecutionState, Phase, ServerCheckState, ServerState, WaveState
from tests.checking import CheckingDriver, look, sent
from tests.worlds import (
    PERSON,
    drill,
    group_of,
    launches,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = {"name": "EC2", "kind": "EC2_STATUS"}
SSM = {"name": "Ping", "kind": "SSM", "parameters": {"commands": ["systemctl is-active app"]}}
SENT = "SendCommand"


def run(*checks: dict[str, Any], until: Any = None, most: int = 60) -> Execution:
    """A drill of two servers in a wave with these checks, and one in a wave after it."""
    world_of([server("db-1"), server("db-2"), server("web-1")])
    return carry(*checks, until=until, most=most)


def carry(*checks: dict[str, Any], until: Any = None, most: int = 60) -> Execution:
    registered()
    plan = plan_of(
        wave("Databases", group_of("db"), checks=checks),
        wave("Web", group_of("web"), depends_on=(1,)),
    )
    execution = drill(plan)
    more = {"until": until} if until else {}
    return CheckingDriver().run(execution, most=most, **more)


def by_name(execution: Execution) -> dict[str, Any]:
    return {row.name: row for row in execution.servers.all()}


def being_checked(execution: Execution) -> bool:
    rows = execution.servers.filter(name__startswith="db")
    return all(row.being_checked for row in rows)


@contextmanager
def serving(answer: bytes, host: str = "127.0.0.9") -> Iterator[int]:
    """A server on a real socket that gives every caller this answer; its port."""
    listening = socket.create_server((host, 0))

    def serve() -> None:
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            with caller:
                caller.recv(4096)
                caller.sendall(answer)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_server_is_ready_once_ec2_says_so_and_the_next_wave_waits_for_that(aws):
    world_of([server("db-1"), server("db-2"), server("web-1")])
    world.guests.add("db-*", initializing=timedelta(minutes=15))
    execution = carry(STATUS, until=being_checked)
    first, second = execution.waves.order_by("position")
    assert (first.state, second.state) == (WaveState.LAUNCHING, WaveState.PENDING)
    states = ServerCheck.objects.values_list("state", flat=True)
    assert list(states) == [ServerCheckState.WAITING] * 2
    row = by_name(execution)["db-1"]
    assert (row.state, row.phase, row.finished_at) == (ServerState.LAUNCHED, Phase.CHECKING, None)

    CheckingDriver().run(execution)
    assert execution.state == ExecutionState.COMPLETED
    rows = by_name(execution)
    assert (rows["db-1"].state, rows["db-2"].state) == (ServerState.READY, ServerState.READY)
    assert rows["db-1"].finished_at > rows["db-1"].launched_at
    # A wave without checks ends as before.
    assert rows["web-1"].state == ServerState.LAUNCHED
    # One question tells of both.
    asked = world.calls.matching(operation="DescribeInstanceStatus")
    assert all("Filter.1.Value.2" in call.params for call in asked)


def test_a_server_that_fails_a_required_check_fails_and_keeps_its_instance(aws):
    world_of([server("db-1"), server("db-2"), server("web-1")])
    world.guests.add("db-1", status="impaired")
    execution = carry({**STATUS, "attempts": 3})
    rows = by_name(execution)
    assert (rows["db-1"].state, rows["db-2"].state) == (ServerState.FAILED, ServerState.READY)
    assert "impaired" in rows["db-1"].message
    assert rows["db-1"].recovery_instance_id
    assert ServerCheck.objects.get(server=rows["db-1"]).attempts == 3
    assert execution.state == ExecutionState.PARTIAL
    assert rows["web-1"].state == ServerState.BLOCKED


def test_a_check_that_is_not_required_is_shown_and_fails_nothing(aws):
    world_of([server("db-1"), server("db-2"), server("web-1")])
    world.guests.add("db-*", status="impaired")
    execution = carry({**STATUS, "attempts": 1, "required": False})
    assert execution.state == ExecutionState.COMPLETED
    assert set(ServerCheck.objects.values_list("state", flat=True)) == {ServerCheckState.FAILED}


def test_what_has_not_passed_when_time_is_up_is_unknown_and_the_execution_timed_out(aws):
    world_of([server("db-1"), server("db-2"), server("web-1")])
    world.guests.add("db-*", initializing=timedelta(days=1))
    execution = carry(STATUS, until=being_checked)
    Wave.objects.filter(execution=execution, position=1).update(deadline_at=timezone.now())
    CheckingDriver().run(execution)
    assert execution.state == ExecutionState.TIMED_OUT
    assert execution.waves.get(position=1).state == WaveState.TIMED_OUT
    row = by_name(execution)["db-1"]
    assert (row.state, row.launched_at is None) == (ServerState.UNKNOWN, False)
    check = row.checks.get()
    assert (check.state, "initializing" in check.message) == (ServerCheckState.UNKNOWN, True)


def test_that_aws_does_not_tell_delays_a_check_and_fails_no_server(aws):
    world_of([server("db-1"), server("db-2"), server("web-1")])
    world.faults.add(Fault(Kind.SERVER_ERROR, operation="DescribeInstanceStatus", times=9))
    assert carry({**STATUS, "attempts": 1}).state == ExecutionState.COMPLETED


@pytest.mark.parametrize(
    ("answer", "more", "state"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nall is well", {"contains": "well"}, ServerState.READY),
        (b"HTTP/1.1 200 OK\r\n\r\nall is well", {"contains": "ill"}, ServerState.FAILED),
        (b"HTTP/1.1 503 Busy\r\n\r\n", {}, ServerState.FAILED),
        (b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n", {}, ServerState.FAILED),
        (b"SSH-2.0-OpenSSH\r\n", {}, ServerState.FAILED),
        (b"", {"kind": "TCP"}, ServerState.READY),
    ],
)
def test_a_port_and_a_page_are_asked_of_the_servers_own_address(aws, settings, answer, more, state):
    settings.CHECKS_MAY_ASK_LOOPBACK = True
    world_of([server("db-1"), server("web-1")])
    world.guests.add("db-1", address="127.0.0.9")
    with serving(answer) as port:
        check = {"name": "Page", "kind": "HTTP", "port": port, "attempts": 1, **more}
        execution = carry({**check, "path": "/health"} if check["kind"] == "HTTP" else check)
    row = by_name(execution)["db-1"]
    assert (row.private_ip, row.state) == ("127.0.0.9", state), row.message


def test_nobody_listening_has_failed_and_a_loopback_address_is_not_asked(aws, settings):
    world_of([server("db-1"), server("web-1")])
    world.guests.add("db-1", address="127.0.0.9")
    check = {"name": "Port", "kind": "TCP", "port": 9, "attempts": 2}
    execution = carry(check)
    row = by_name(execution)["db-1"]
    assert (row.state, "is not asked" in row.message) == (ServerState.UNKNOWN, True)


def test_a_command_that_succeeds_is_sent_once(aws):
    execution = run(SSM)
    assert execution.state == ExecutionState.COMPLETED
    assert sent() == 2
    one = next(iter(world.guests.sent.values()))[0]
    assert one.parameters == {"commands": ["systemctl is-active app"]}


def test_a_command_that_fails_is_sent_as_often_as_the_plan_says(aws):
    world_of([server("db-1"), server("web-1")])
    world.guests.add("db-1", outcome="Failed", code=3, output="inactive")
    execution = carry({**SSM, "attempts": 2})
    row = by_name(execution)["db-1"]
    assert (row.state, "inactive" in row.message, sent()) == (ServerState.FAILED, True, 2)


def test_no_command_is_sent_before_the_agent_is_online(aws):
    world_of([server("db-1"), server("web-1")])
    world.guests.add("db-1", online=False)
    execution = carry(SSM, until=being_checked)
    for _ in range(3):
        look()
    check = ServerCheck.objects.get()
    assert ("not online" in check.message, check.attempts, sent()) == (True, 0, 0)
    world.guests.add("db-1")
    CheckingDriver().run(execution)
    assert (execution.state, sent()) == (ExecutionState.COMPLETED, 1)


@pytest.mark.parametrize("lost", [Kind.TIMEOUT_AFTER, Kind.DROP_AFTER])
def test_a_command_whose_answer_is_lost_is_found_and_not_sent_again(aws, lost):
    world_of([server("db-1"), server("web-1")])
    world.faults.add(Fault(lost, operation=SENT, times=1))
    execution = carry(SSM)
    assert (execution.state, sent()) == (ExecutionState.COMPLETED, 1)
    assert world.calls.count(operation=SENT) == 1


@pytest.mark.parametrize(("repeatable", "calls"), [(False, 1), (True, 2)])
def test_a_command_that_is_not_found_is_sent_again_only_if_it_may_run_twice(aws, repeatable, calls):
    world_of([server("db-1"), server("web-1")])
    world.faults.add(Fault(Kind.DROP_BEFORE, operation=SENT, times=1))
    execution = carry({**SSM, "repeatable": repeatable})
    row = by_name(execution)["db-1"]
    assert row.state == (ServerState.READY if repeatable else ServerState.UNKNOWN)
    assert world.calls.count(operation=SENT) == calls
    if not repeatable:
        assert "not known whether its command ran" in row.message


class Killed(BaseException):
    """A worker dies."""


@pytest.mark.parametrize(
    ("point", "repeatable", "calls", "state"),
    [
        ("check.intended", True, 1, ServerState.READY),
        ("check.intended", False, 0, ServerState.UNKNOWN),
        ("check.sent", False, 1, ServerState.READY),
    ],
)
def test_a_worker_that_dies_around_a_command_leaves_it_sent_once(
    aws, monkeypatch, point, repeatable, calls, state
):
    """What was sent is found; what only was to be sent is sent only if it may be sent twice."""
    world_of([server("db-1"), server("web-1")])
    world.guests.add("db-1", online=False)
    execution = carry({**SSM, "repeatable": repeatable}, until=being_checked)
    world.guests.add("db-1")
    kills = iter([point])

    def die(reached: str, **_: Any) -> None:
        if reached == point and next(kills, None):
            raise Killed

    monkeypatch.setattr(check_commands, "checkpoint", die)
    with pytest.raises(Killed):
        look()
    CheckingDriver().run(execution)
    assert (by_name(execution)["db-1"].state, sent()) == (state, calls)


def test_a_check_that_somebody_is_at_is_left_alone_and_its_late_finding_is_dropped(aws):
    world_of([server("db-1"), server("web-1")])
    world.guests.add("db-1", initializing=timedelta(days=1))
    execution = carry(STATUS, until=being_checked)
    check = ServerCheck.objects.get()
    theirs = uuid4()
    ahead = timezone.now() + timedelta(minutes=1)
    ServerCheck.objects.update(lease_token=theirs, leased_until=ahead, due_at=timezone.now())
    assert checking.run_due(within=timedelta(milliseconds=1)) == 0
    server_checks.take_in(check.pk, uuid4(), Finding(Found.FAILED, "Too late."))
    check.refresh_from_db()
    assert (check.state, check.attempts) == (ServerCheckState.WAITING, 0)
    server_checks.take_in(check.pk, theirs, Finding(Found.PASSED, "Well."))
    assert by_name(execution)["db-1"].state == ServerState.READY


def test_what_is_launched_after_its_wave_is_not_called_launched_until_it_is_checked(aws):
    """Its wave has its verdict: a server that comes late and is not checked stays unknown."""
    world_of([server("db-1"), server("web-1")])
    execution = carry(STATUS, until=lambda found: found.servers.filter(state="LAUNCHING").exists())
    Wave.objects.filter(execution=execution, position=1).update(deadline_at=timezone.now())
    driver = CheckingDriver()
    driver.run(execution)
    for _ in range(30):
        driver.step(execution)
    row = by_name(execution)["db-1"]
    assert (row.state, row.launched_at is None) == (ServerState.UNKNOWN, False)
    assert "has not been checked" in row.message
    check_requests.again(execution, position=1, actor=PERSON)
    driver.run(execution)
    assert by_name(execution)["db-1"].state == ServerState.READY
    assert execution.state == ExecutionState.COMPLETED
    assert len(launches()) == 2
