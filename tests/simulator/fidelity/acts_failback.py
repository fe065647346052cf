"""The acts about the way back, and about letting go."""

from datetime import timedelta

from drportal.simulator import failback
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.player import AWAY
from tests.simulator.fidelity.stage import UNKNOWN, Stage


class FailbackActs(Stage):
    def failback_to_premises(self) -> None:
        ready, stopped = self.instance("prem-1").id, self.instance("prem-2").id
        for instance in (ready, stopped):
            own = {"recoveryInstanceID": instance}
            self.call("GetFailbackReplicationConfiguration", **own)
            self.call("UpdateFailbackReplicationConfiguration", **own, bandwidthThrottling=50)
            self.call("GetFailbackReplicationConfiguration", **own)
            self.refused("StartFailbackLaunch", "ConflictException", recoveryInstanceIDs=[instance])
            failback.connect_failback_client(backend_of(), instance)
        self.refused("ReverseReplication", "ValidationException", recoveryInstanceID=ready)
        for _ in range(12):
            self.clock.advance(timedelta(minutes=5))
            self.call("DescribeRecoveryInstances")
        self.call("StopFailback", recoveryInstanceID=stopped)
        world.faults.add(Fault(Kind.LAUNCH_FAIL, server=server_id("prem-1"), times=1))
        self.watch(self.fail_back(ready))
        self.call("DescribeRecoveryInstances")
        self.call("StopFailback", recoveryInstanceID=ready)
        failback.connect_failback_client(backend_of(), ready)
        self.clock.advance(timedelta(hours=1))
        self.watch(self.fail_back(ready))
        self.call("DescribeRecoveryInstances")
        for operation in ("StopFailback", "GetFailbackReplicationConfiguration"):
            self.refused(
                operation, "ResourceNotFoundException", recoveryInstanceID=UNKNOWN["instance"]
            )
        self.let_go(stopped)

    def fail_back(self, instance: str) -> str:
        started = self.call("StartFailbackLaunch", recoveryInstanceIDs=[instance], tags={"a": "b"})
        return str(started["job"]["jobID"])

    def let_go(self, instance: str) -> None:
        own = {"recoveryInstanceID": instance}
        self.refused("DeleteRecoveryInstance", "ConflictException", **own)
        self.call("DisconnectRecoveryInstance", **own)
        self.refused("DisconnectRecoveryInstance", "ConflictException", **own)
        self.call("DescribeRecoveryInstances", filters={"recoveryInstanceIDs": [instance]})
        self.call("DeleteRecoveryInstance", **own)
        self.refused("DeleteRecoveryInstance", "ConflictException", **own)
        self.refused("DisconnectRecoveryInstance", "ResourceNotFoundException", **own)

    def failback_to_ec2(self) -> None:
        own = {"recoveryInstanceID": self.instance("web-2").id}
        arn = self.call("ReverseReplication", **own)["reversedDirectionSourceServerArn"]
        self.refused("ReverseReplication", "ConflictException", **own)
        self.refused(
            "ReverseReplication",
            "ResourceNotFoundException",
            recoveryInstanceID=UNKNOWN["instance"],
        )
        for _ in range(8):
            self.clock.advance(timedelta(minutes=1))
            self.call("DescribeRecoveryInstances")
            self.call("DescribeSourceServers", region=AWAY)
        back = arn.rpartition("/")[2]
        started = self.call("StartRecovery", region=AWAY, sourceServers=[{"sourceServerID": back}])
        self.watch(started["job"]["jobID"], region=AWAY)
        self.let_go_of_reversed(back)

    def let_go_of_reversed(self, server: str) -> None:
        """Without its server in the origin Region, nothing is known of the instance's failback."""
        away, own = {"region": AWAY}, {"sourceServerID": server}
        found = self.call("DescribeRecoveryInstances", **away)["items"]
        self.refused("DisconnectSourceServer", "ConflictException", **away, **own)
        ids = [instance["recoveryInstanceID"] for instance in found]
        ended = self.call("TerminateRecoveryInstances", **away, recoveryInstanceIDs=ids)
        self.watch(ended["job"]["jobID"], **away)
        self.call("DisconnectSourceServer", **away, **own)
        self.call("DescribeRecoveryInstances")
        self.call("DeleteSourceServer", **away, **own)
        self.call("DescribeRecoveryInstances")

    def server_life(self) -> None:
        own = {"sourceServerID": server_id("state-paused")}
        self.refused("DeleteSourceServer", "ConflictException", **own)
        self.refused("StartReplication", "ConflictException", **own)
        self.call("StopReplication", **own)
        self.refused("StopReplication", "ConflictException", **own)
        self.call("StartReplication", **own)
        for _ in range(8):
            self.clock.advance(timedelta(minutes=1))
            self.call("DescribeSourceServers", filters={"sourceServerIDs": [*own.values()]})
        self.call("DisconnectSourceServer", **own)
        self.call("DescribeSourceServers", filters={"sourceServerIDs": [*own.values()]})
        self.call("DeleteSourceServer", **own)
        for operation in (
            "DeleteSourceServer",
            "DisconnectSourceServer",
            "StartReplication",
            "StopReplication",
        ):
            self.refused(operation, "ResourceNotFoundException", **own)
        held = {"sourceServerID": server_id("win-1")}
        self.refused("DisconnectSourceServer", "ConflictException", **held)
        self.outside_changes()

    def outside_changes(self) -> None:
        """EC2 instances change behind the back of DRS."""
        windows = self.instance("win-1")
        for state in ("stopping", "stopped", "pending", "shutting-down", "terminated"):
            windows.ec2.instance_state.name = state
            self.call("DescribeRecoveryInstances")
        windows.ec2.ec2_backend.reservations.clear()
        self.call("DescribeRecoveryInstances")
