import os
import signal
import subprocess
import sys

import pytest

from drportal.embedded.processes import DidNotStart, alive, start, wait_until
from tests.embedded.waiting import until

PYTHON = sys.executable
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ready', flush=True); signal.pause()"
)


def started(tmp_path, code, **options):
    return start("child", [PYTHON, "-c", code], log=tmp_path / "log", **options)


def says(child, word):
    return lambda: word in child.log_tail()


def test_a_child_that_ends_too_early_is_reported_with_its_log(tmp_path):
    child = started(tmp_path, "import sys; sys.exit('no room left')")
    with pytest.raises(DidNotStart, match="child ended with code 1:\nno room left"):
        wait_until(lambda: False, child)


def test_a_child_that_takes_too_long_is_reported(tmp_path):
    child = started(tmp_path, "import signal; signal.pause()")
    with pytest.raises(DidNotStart, match=r"not ready within 0\.1 s"):
        wait_until(lambda: False, child, within=0.1)
    child.stop()


def test_stopping_is_polite_at_first(tmp_path):
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit('bye'));"
        "print('ready', flush=True); signal.pause()"
    )
    child = started(tmp_path, code)
    wait_until(says(child, "ready"), child)
    child.stop()
    assert child.log_tail() == "ready\nbye"


def test_stopping_ends_a_child_that_does_not_listen(tmp_path):
    child = started(tmp_path, STUBBORN)
    wait_until(says(child, "ready"), child)
    child.stop(within=0.1)
    assert child.process.returncode == -signal.SIGKILL
    assert not alive(child.process.pid)


def test_stopping_ends_what_the_child_left_behind(tmp_path):
    code = (
        "import subprocess, sys;"
        f"left = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], stdout=subprocess.PIPE);"
        "left.stdout.readline(); print(left.pid, flush=True)"
    )
    child = started(tmp_path, code)
    child.process.wait(20)
    left = int(child.log_tail())
    assert alive(left)
    child.stop()
    until(lambda: not alive(left))


def test_a_child_dies_with_its_parent(tmp_path):
    code = (
        "import pathlib, sys; from drportal.embedded.processes import start;"
        f"child = start('c', [sys.executable, '-c', {STUBBORN!r}],"
        " log=pathlib.Path(sys.argv[1]), death_signal=__import__('signal').SIGKILL);"
        "print(child.process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [PYTHON, "-c", code, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    until(lambda: not alive(child))


def test_a_process_that_ended_is_not_alive():
    ended = subprocess.Popen([PYTHON, "-c", ""])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(ended.pid)  # a zombie
    ended.wait()
    assert not alive(ended.pid)
    assert alive(os.getpid())
