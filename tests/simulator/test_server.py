"""The simulator over HTTP: its server, its command, its control channel, and the AWS CLI."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from drportal.simulator import company
from drportal.simulator.control import Control, Refused
from drportal.simulator.server import start
from tests.simulated_aws import KEYS, OverHTTP, healthy
from tests.simulator.watching import ids, launch

CLI = Path(sys.executable).with_name("aws")


def run_cli(url: str, *arguments: str) -> dict[str, Any]:
    environment = os.environ | KEYS | {"AWS_DEFAULT_REGION": company.EAST}
    command = [str(CLI), *arguments, "--endpoint-url", url, "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_aws_cli_works_against_it(aws_server: OverHTTP) -> None:
    found = run_cli(aws_server.url, "drs", "describe-source-servers")
    assert len(found["items"]) == 5
    paged = run_cli(aws_server.url, "drs", "describe-source-servers", "--page-size", "2")
    for listed in (found, paged):
        assert len({item["arn"] for item in listed["items"]}) == len(listed["items"]) == 5
    identity = run_cli(aws_server.url, "sts", "get-caller-identity")
    assert identity["Account"] == company.HUB


def test_environment_variables_are_enough_for_boto3(aws_server: OverHTTP) -> None:
    program = (
        "import boto3, json;"
        "drs = boto3.client('drs');"
        "print(json.dumps([item['arn'] for item in drs.describe_source_servers()['items']]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60
    )
    assert len(json.loads(done.stdout)) == 5


def test_no_content_means_no_byte(aws_server: OverHTTP) -> None:
    host, port = aws_server.url.removeprefix("http://").split(":")
    scope = "Credential=simulated/20260101/us-east-1/drs/aws4_request"
    request = (
        f"POST /InitializeService HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n"
        f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n"
        "Connection: close\r\n\r\n{}"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204")
    assert body == b""


def test_a_launch_over_http_goes_by_the_real_clock(aws_server: OverHTTP) -> None:
    aws_server.control.set_speed(100_000)
    drs = aws_server.drs(company.RETAIL)
    started = launch(drs)
    # At this speed the whole job takes some milliseconds: a few looks see its end.
    statuses = (
        drs.describe_jobs(filters={"jobIDs": [started["jobID"]]})["items"][0]["status"]
        for _ in range(200)
    )
    assert "COMPLETED" in statuses


class TestControl:
    def test_calls_and_jobs(self, aws_server: OverHTTP) -> None:
        drs = aws_server.drs(company.RETAIL)
        wanted = ids(drs)[:3]
        started = launch(drs, wanted)
        control = aws_server.control
        [call] = control.calls(operation="StartRecovery")
        assert call["server_ids"] == wanted
        assert call["job_id"] == started["jobID"]
        assert call["account"] == company.RETAIL
        assert control.count(service="sts") == 1
        assert control.calls_by_operation(account=company.RETAIL) == {
            "drs:DescribeSourceServers": 1,
            "drs:StartRecovery": 1,
        }
        assert control.calls(since=call["number"]) == []
        [job] = control.jobs(account=company.RETAIL)
        assert job["jobID"] == started["jobID"]
        assert (job["account"], job["region"]) == (company.RETAIL, company.EAST)
        assert control.jobs(account=company.FINANCE) == []

    def test_faults(self, aws_server: OverHTTP) -> None:
        control = aws_server.control
        number = control.add_fault("THROTTLE", operation="DescribeJobs", times=3)
        assert [each["id"] for each in control.faults()] == [number]
        control.remove_fault(number)
        assert control.faults() == []
        control.add_fault("THROTTLE")
        control.clear_faults()
        assert control.faults() == []
        with pytest.raises(Refused, match="There is no fault 999999"):
            control.remove_fault(999999)

    def test_scenario_and_reset(self, aws_server: OverHTTP) -> None:
        control = aws_server.control
        assert control.load(healthy(7))["places"][0]["servers"] == 7
        server_id = ids(aws_server.drs())[0]
        launch(aws_server.drs(), [server_id])
        assert control.state()["places"][0]["jobs"] == 1
        control.reset()
        assert control.state()["places"][0]["jobs"] == 0
        assert ids(aws_server.drs())[0] == server_id

    def test_a_bad_scenario_is_refused_with_its_reason(self, aws_server: OverHTTP) -> None:
        with pytest.raises(Refused, match="accounts: there must be at least one"):
            aws_server.control.load({})

    def test_settings_and_speed(self, aws_server: OverHTTP) -> None:
        control = aws_server.control
        control.set_speed(42)
        assert control.state()["speed"] == 42
        control.set_settings(hold_seconds=1, quotas={"concurrent_jobs": 1})
        with pytest.raises(Refused, match="has unknown members: colour"):
            control.set_settings(colour="red")
        with pytest.raises(Refused, match="speed: must be at least"):
            control.set_speed(0)

    def test_replication(self, aws_server: OverHTTP) -> None:
        place = {"account": company.HUB, "region": company.EAST, "server": "intranet-web-01"}
        aws_server.control.set_replication(**place, state="BACKLOG", lagSeconds=90)
        states = [
            each["dataReplicationInfo"]["dataReplicationState"]
            for each in aws_server.drs().describe_source_servers()["items"]
        ]
        assert states.count("BACKLOG") == 1
        with pytest.raises(Refused, match="is none of STOPPED"):
            aws_server.control.set_replication(**place, state="FINE")

    def test_what_it_does_not_have(self, aws_server: OverHTTP) -> None:
        with pytest.raises(Refused, match="A call has no colour"):
            aws_server.control.calls(colour="red")
        with pytest.raises(Refused, match="There is no role"):
            aws_server.control.remove_role("arn:aws:iam::123456789012:role/Nobody")


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps(healthy(3)))
    return [sys.executable, "-m", "drportal.simulator", "--port", "0", "--scenario", str(scenario)]


def test_the_command_serves_until_sigterm(command: list[str]) -> None:
    with subprocess.Popen(
        [*command, "--speed", "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Simulated AWS is ready at http://127.0.0.1:")
        state = Control(line.split()[-1]).state()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        watchdog.cancel()
    assert state["speed"] == 30
    assert state["places"][0]["servers"] == 3
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_says_what_is_wrong_with_a_scenario(command: list[str]) -> None:
    Path(command[-1]).write_text('{"accounts": []}')
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "accounts: there must be at least one.\n"


def test_a_port_that_is_taken_is_an_error(aws_server: OverHTTP) -> None:
    port = int(aws_server.url.rsplit(":", 1)[-1])
    aws_server.drs().describe_jobs()
    with pytest.raises(OSError, match="in use"):
        start(port=port)
    assert aws_server.control.count() == 1  # the world is as it was


def test_a_connection_is_dropped_after_it_was_held(aws_server: OverHTTP) -> None:
    aws_server.control.add_fault("TIMEOUT_BEFORE")
    aws_server.control.set_settings(hold_seconds=0)
    drs = aws_server.drs()
    with pytest.raises(ConnectionClosedError):
        drs.describe_jobs()
