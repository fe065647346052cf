"""What the acts of the long run are made of."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from drportal.simulator.clock import ManualClock
from drportal.simulator.resources import RecoveryInstance
from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.player import Player

UNKNOWN = {
    "server": "s-00000000000000000",
    "instance": "i-00000000000000000",
    "job": "drsjob-00000000000000000",
    "lct": "lct-00000000000000000",
    "rct": "rct-00000000000000000",
    "point": "pit-00000000000000000",
}
STEP = timedelta(seconds=75)


class Stage(Player):
    """A player that can also move the clock and watch jobs."""

    def __init__(self, clients: Callable[[str, str], Any], clock: ManualClock) -> None:
        super().__init__(clients)
        self.clock = clock
        self.jobs: dict[str, dict[str, Any]] = {}  # finished jobs by id
        self.logs: dict[str, list[dict[str, Any]]] = {}  # the logs of finished jobs

    def servers(self, *names: str) -> dict[str, Any]:
        return {"sourceServers": [{"sourceServerID": server_id(name)} for name in names]}

    def launch(self, *names: str, **params: Any) -> str:
        started = self.call("StartRecovery", **self.servers(*names), **params)
        return str(started["job"]["jobID"])

    def watch(self, job: str, **place: str) -> None:
        """Look at the job, its log and its servers until it has ended."""
        wanted: dict[str, Any] = {"filters": {"jobIDs": [job]}}
        for _ in range(200):
            seen = self.call("DescribeJobs", **place, **wanted)["items"][0]
            log = self.call("DescribeJobLogItems", **place, jobID=job)["items"]
            self.call("DescribeRecoveryInstances", **place)
            taking_part = [each["sourceServerID"] for each in seen["participatingServers"]]
            self.call("DescribeSourceServers", **place, filters={"sourceServerIDs": taking_part})
            if seen["status"] == "COMPLETED":
                self.jobs[job], self.logs[job] = seen, log
                return
            self.clock.advance(STEP)
        raise AssertionError(f"{job} never ended: {seen}")

    def instance(self, name: str) -> RecoveryInstance:
        """The recovery instance of a server of the hub."""
        backend = backend_of()
        identifier = backend.servers[server_id(name)].recovery_instance_id
        assert identifier is not None
        return backend.instances[identifier]
