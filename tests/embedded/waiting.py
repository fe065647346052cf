import threading
import time
from collections.abc import Callable
from pathlib import Path

from drportal.embedded.processes import alive

# Put before a command that is to be interrupted: a shell lets what it starts in the background
# ignore SIGINT, tests started so would pass that on, and their children would never end.
HEEDING_SIGINT = ("env", "--default-signal=INT")


def until(condition: Callable[[], object], *, within: float = 20) -> None:
    """Return once the condition holds; fail when it does not within so many seconds."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        pause.wait(0.02)


def processes_of(mark: str) -> set[int]:
    """Every living process whose environment says TEST_MARK=`mark`, its own children's too."""
    wanted = f"TEST_MARK={mark}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:  # it has ended meanwhile, or is somebody else's
                continue
            if wanted in environment.split(b"\0"):
                found.add(int(entry.name))
    return found
