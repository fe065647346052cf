"""The first of the two commands, as people run it."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from drportal.embedded.places import runtime_directory
from tests.embedded.waiting import HEEDING_SIGINT, processes_of, until

ROOT = Path(__file__).resolve().parents[2]
SPEED = "300"  # a DRS job of twenty minutes takes four seconds
NOT_PASSED_ON = ("DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL", "DJANGO_SETTINGS_MODULE")

pytestmark = pytest.mark.journey


@pytest.fixture
def place():
    made = runtime_directory()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def demo(place):
    """Start the demo on one data directory; whatever is left of it ends with the test."""
    started = []

    def demo(*arguments):
        kept = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        process = subprocess.Popen(
            [
                *HEEDING_SIGINT,
                *(ROOT / "scripts" / "demo", "--port", "0", "--speed", SPEED),
                *("--data", place / "data", *arguments),
            ],
            env=kept | {"TEST_MARK": str(place)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield demo
    for process in started:
        with process:
            process.kill()


def lines_until(process, word):
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if word in line:
            return said
    pytest.fail(f"{word!r} was not said:\n{''.join(said)}")


def test_it_runs_a_drill_end_to_end_and_reports_it(demo, place):
    process = demo("--once", "--report", str(place / "report.json"))
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    report = json.loads((place / "report.json").read_text())

    execution = report["execution"]
    assert execution["state"] == "COMPLETED"
    assert [wave["name"] for wave in execution["waves"]] == [
        "Databases",
        "Directory",
        "Applications",
        "Web",
    ]
    for wave in execution["waves"]:
        assert wave["state"] == "COMPLETED"
        assert wave["servers"]["launched"] >= 2
        assert wave["servers"]["failed"] == 0
        assert wave["started_at"] < wave["finished_at"]

    aws = report["aws"]
    assert aws["jobs_per_intent_max"] == 1
    assert aws["jobs"] == aws["calls"]["drs:StartRecovery"] == 6
    assert report["mirror"] == {"behind": 0, "differences": 0}
    assert report["audit"]["records"] > 0

    timings = report["timings"]
    assert timings["drill_seconds"] > 0
    assert timings["setup_seconds"] > 0
    # How short it is says nothing beside other tests; .ci/run asks that of a demo by itself.
    assert 0 < timings["wave_overhead_seconds"]["p50"] <= timings["wave_overhead_seconds"]["p95"]
    until(lambda: not processes_of(str(place)))


def test_killed_in_its_drill_it_leaves_nothing_and_the_next_run_is_right(demo, place):
    killed = demo()
    lines_until(killed, "wave 1 Databases: LAUNCHING")
    killed.kill()
    until(lambda: not processes_of(str(place)), within=30)

    again = demo("--report", str(place / "report.json"))
    lines_until(again, "until Ctrl-C")
    told = place / "data" / "environment"
    assert told.stat().st_mode & 0o077 == 0
    assert "AWS_ACCESS_KEY_ID=simulated" in told.read_text()
    asked = subprocess.run(
        ["/bin/bash", "-c", f'source "{told}" && .venv/bin/python manage.py check_services'],
        cwd=ROOT,
        check=False,
    )
    assert asked.returncode == 0
    again.send_signal(signal.SIGINT)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 128 + signal.SIGINT, said
    assert not told.exists()
    report = json.loads((place / "report.json").read_text())
    assert report["execution"]["state"] == "COMPLETED"
    assert report["mirror"] == {"behind": 0, "differences": 0}
    until(lambda: not processes_of(str(place)))


def test_wrong_settings_are_named_in_a_line_each(demo, monkeypatch):
    monkeypatch.setitem(os.environ, "LOG_LEVEL", "loud")
    monkeypatch.setitem(os.environ, "LEASE_SECONDS", "x")
    process = demo()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.count("wrong") == 2
    assert "LOG_LEVEL is 'loud'" in said
    assert "LEASE_SECONDS is 'x', not a number" in said
    assert "Traceback" not in said
