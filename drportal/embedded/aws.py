"""Simulated AWS as a child process, answering over HTTP."""

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drportal.embedded.places import free_port
from drportal.embedded.processes import Child, DidNotStart, start, wait_until

_ROOT = Path(__file__).resolve().parents[2]
# A developer's own keys and profile are never sent to a simulator.
_OWN_KEYS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN")


@dataclass(frozen=True, slots=True)
class SimulatedAws:
    """A running simulator."""

    child: Child
    port: int

    @property
    def url(self) -> str:
        """The AWS_ENDPOINT_URL of every service."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """`given`, changed so that boto3 asks the simulator, as its hub account."""
        kept = {name: value for name, value in given.items() if name not in _OWN_KEYS}
        direct = ",".join(filter(None, (given.get("NO_PROXY", ""), "127.0.0.1,localhost")))
        return kept | {
            "NO_PROXY": direct,
            "no_proxy": direct,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "simulated",
            "AWS_SECRET_ACCESS_KEY": "simulated",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        self.child.stop()


def start_aws(
    *, log: Path, env: Mapping[str, str], scenario: Path | None = None, speed: float = 1.0
) -> SimulatedAws:
    """Start the simulator with the `scenario`, or the demo's company. Raises `DidNotStart`."""
    port = free_port()
    command = [sys.executable, "-m", "drportal.simulator", "--port", str(port)]
    command += ["--speed", f"{speed:g}"]
    if scenario is not None:
        command += ["--scenario", str(scenario)]
    child = start("Simulated AWS", command, log=log, env=env, cwd=_ROOT)
    aws = SimulatedAws(child=child, port=port)
    try:
        wait_until(lambda: _listens(port), child, within=60)
    except DidNotStart:
        aws.stop()
        raise
    return aws


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
