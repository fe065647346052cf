import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from drportal.embedded.keeper import listen
from drportal.embedded.places import runtime_directory
from drportal.embedded.processes import alive
from drportal.embedded.stack import DirectoryInUse, Stack
from tests.embedded.waiting import HEEDING_SIGINT, processes_of, until

ELSEWHERE = {
    "DATABASE_URL": "postgresql://user@database.invalid/portal",
    "REDIS_URL": "redis://redis.invalid/0",
    "AWS_ENDPOINT_URL": "http://aws.invalid",
}


@pytest.fixture
def data():
    made = runtime_directory()
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def hold(data):
    """Start a process that holds a stack, and hear what it has started."""
    holders = []
    environment = dict(os.environ) | {"TEST_MARK": str(data)}

    def hold():
        holder = subprocess.Popen(
            [*HEEDING_SIGINT, sys.executable, "-m", "tests.embedded.holding", str(data)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        holders.append(holder)
        assert holder.stdout is not None
        return holder, json.loads(holder.stdout.readline())

    yield hold
    for holder in holders:
        with holder:  # it closes the pipes
            holder.kill()


def test_what_the_environment_names_is_not_started(data):
    with Stack(data, given=ELSEWHERE) as stack:
        assert ELSEWHERE.items() <= stack.environment.items()
        assert stack.aws is None
        assert not (data / "postgres").exists()


def test_the_secret_key_is_made_once_and_kept_from_others(data):
    with Stack(data, given=ELSEWHERE) as stack:
        first = stack.environment["SECRET_KEY"]
    with Stack(data, given=ELSEWHERE) as stack:
        assert stack.environment["SECRET_KEY"] == first
    assert len(first) >= 50
    assert (data / "secret-key").stat().st_mode & 0o077 == 0
    with Stack(data, given={**ELSEWHERE, "SECRET_KEY": "mine"}) as stack:
        assert stack.environment["SECRET_KEY"] == "mine"


def test_a_directory_in_use_is_refused(data):
    with (
        Stack(data, given=ELSEWHERE),
        pytest.raises(DirectoryInUse, match=str(data)),
        Stack(data, given=ELSEWHERE),
    ):
        pass
    with Stack(data, given=ELSEWHERE):
        pass


def test_signals_are_handled_as_before_once_it_has_stopped(data):
    before = signal.getsignal(signal.SIGINT)
    with Stack(data, given=ELSEWHERE):
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_an_orderly_end_leaves_nothing(hold, data):
    holder, told = hold()
    assert told["environment"]["DATABASE_URL"].startswith("postgresql://postgres@/portal?host=")
    assert told["environment"]["REDIS_URL"].startswith("redis://:")
    assert len(processes_of(str(data))) >= 3
    holder.stdin.close()
    holder.wait(30)
    assert holder.returncode == 0
    until(lambda: not processes_of(str(data)))
    assert not any(alive(pid) for pid in told["pids"].values())
    assert not list(data.parent.parent.glob(f"drportal-{holder.pid}-*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_holder_leaves_nothing_and_the_next_one_starts(hold, data, number):
    holder, told = hold()
    os.kill(holder.pid, number)
    holder.wait(30)
    until(lambda: not any(alive(pid) for pid in told["pids"].values()))
    until(lambda: not processes_of(str(data)))
    _, again = hold()
    assert again["pids"] != told["pids"]


def test_the_keeper_ends_only_what_is_still_watched():
    assert listen(["watch 11\n", "watch 12\n", "forget 11\n"]) == {12}
