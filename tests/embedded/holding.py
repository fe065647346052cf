"""Holds a stack until its input closes: the tests kill this process in every way."""

import json
import os
import sys
from pathlib import Path

from drportal.embedded.postgres import FAST
from drportal.embedded.processes import wait_until
from drportal.embedded.stack import Stack

# A process of the portal with one of its own that does not listen to SIGTERM.
_PARENT_OF_ONE = """
import pathlib, signal, subprocess, sys
stubborn = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print(1, flush=True); signal.pause()"
)
child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
child.stdout.readline()
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
signal.pause()
"""


def main(data: Path) -> None:
    given = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    for name in ("DATABASE_URL", "REDIS_URL"):
        given.pop(name, None)
    with Stack(data, given=given, postgres_options=FAST) as stack:
        grandchild = stack.data / "grandchild"
        grandchild.unlink(missing_ok=True)
        child = stack.run("sleeper", [sys.executable, "-c", _PARENT_OF_ONE, grandchild])
        wait_until(lambda: grandchild.exists() and grandchild.read_text() != "", child)
        pids = {"sleeper": child.process.pid, "grandchild": int(grandchild.read_text())}
        sys.stdout.write(json.dumps({"environment": stack.environment, "pids": pids}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
