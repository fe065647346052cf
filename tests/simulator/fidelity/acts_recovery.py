"""The acts about launches and what ends them."""

from typing import Any

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import server_id
from tests.simulator.fidelity.player import HUB, STAGING, TARGET
from tests.simulator.fidelity.stage import UNKNOWN, Stage


class RecoveryActs(Stage):
    def drill(self) -> None:
        names = ("web-1", "web-2", "db-2")
        job = self.launch(*names, isDrill=True, tags={"Plan": "drill"})
        self.refused("StartRecovery", "ConflictException", **self.servers("web-1"))
        self.refused("DeleteJob", "ConflictException", jobID=job)
        self.watch(job)
        self.call("DescribeJobs", filters={"jobIDs": [job, UNKNOWN["job"]]})
        self.call("DescribeJobs", filters={"fromDate": "2025-06-02T00:00:00Z"})
        self.call("DescribeJobs", filters={"toDate": "2025-06-01T00:00:00Z"})
        self.call("DescribeRecoveryInstances")
        own = {"sourceServerIDs": [server_id("web-1")]}
        self.call("DescribeRecoveryInstances", filters=own)

    def recovery_with_cleanup(self) -> None:
        points = self.call("DescribeRecoverySnapshots", sourceServerID=server_id("web-2"))["items"]
        pinned = self.servers("web-1", "web-2")
        pinned["sourceServers"][1]["recoverySnapshotID"] = points[-1]["snapshotID"]
        job = self.call("StartRecovery", **pinned)["job"]["jobID"]
        self.watch(job)
        self.watch(self.launch("win-1", "prem-1", "prem-2", "state-backlog"))

    def launch_faults(self) -> None:
        for kind, more in (
            (Kind.SKIP, {}),
            (Kind.SNAPSHOT_FAIL, {}),
            (Kind.SNAPSHOT_FAIL, {"fallback": True}),
            (Kind.CONVERSION_FAIL, {}),
            (Kind.LAUNCH_FAIL, {"raw_error": "UnauthorizedOperation"}),
        ):
            fault = Fault(kind, server=server_id("db-1"), **more)
            world.faults.add(fault)
            self.watch(self.launch("db-1", "state-stalled", isDrill=True))
            world.faults.clear()

    def refused_launches(self) -> None:
        for name in ("state-stopped", "state-initiating", "state-initial_sync"):
            self.refused("StartRecovery", "ConflictException", **self.servers("web-1", name))
        self.refused("StartRecovery", "ConflictException", **self.servers("state-disconnected"))
        self.refused("StartRecovery", "ConflictException", **self.servers("web-1", "web-1"))
        unknown: dict[str, Any] = {"sourceServers": [{"sourceServerID": UNKNOWN["server"]}]}
        self.refused("StartRecovery", "ConflictException", **unknown)
        gone = self.servers("web-1")
        gone["sourceServers"][0]["recoverySnapshotID"] = UNKNOWN["point"]
        self.refused("StartRecovery", "ConflictException", **gone)
        world.settings.quotas.servers_per_job = 1
        self.refused(
            "StartRecovery", "ServiceQuotaExceededException", **self.servers("web-1", "web-2")
        )
        world.settings.quotas.servers_per_job = 100

    def terminations(self) -> None:
        web, db = self.instance("web-1"), self.instance("db-2")
        self.refused(
            "TerminateRecoveryInstances",
            "ConflictException",
            recoveryInstanceIDs=[UNKNOWN["instance"]],
        )
        db.ec2.disable_api_termination = True
        started = self.call("TerminateRecoveryInstances", recoveryInstanceIDs=[web.id, db.id])
        self.refused(
            "TerminateRecoveryInstances", "ConflictException", recoveryInstanceIDs=[web.id]
        )
        self.watch(started["job"]["jobID"])
        db.ec2.disable_api_termination = False
        self.call("DescribeRecoveryInstances")
        self.call("DeleteJob", jobID=started["job"]["jobID"])
        self.refused("DeleteJob", "ResourceNotFoundException", jobID=started["job"]["jobID"])

    def staging(self) -> None:
        at_target = {"account": TARGET}
        own = {"stagingAccountID": STAGING}
        found = self.call("ListExtensibleSourceServers", **at_target, **own)["items"]
        arns = [each["arn"] for each in found]
        self.call("ListStagingAccounts", **at_target)
        made = [
            self.call(
                "CreateExtendedSourceServer", **at_target, sourceServerArn=arn, tags={"a": ""}
            )
            for arn in arns[:2]
        ]
        first = made[0]["sourceServer"]["sourceServerID"]
        self.refused(
            "CreateExtendedSourceServer",
            "ValidationException",
            **at_target,
            sourceServerArn=arns[0],
        )
        self.refused(
            "CreateExtendedSourceServer",
            "ResourceNotFoundException",
            **at_target,
            sourceServerArn=arns[0][:-17] + UNKNOWN["server"][2:],
        )
        self.refused(
            "CreateExtendedSourceServer",
            "AccessDeniedException",
            **at_target,
            sourceServerArn=arns[0].replace(STAGING, HUB),
        )
        self.refused(
            "ListExtensibleSourceServers",
            "AccessDeniedException",
            **at_target,
            stagingAccountID=HUB,
        )
        self.call("ListExtensibleSourceServers", **at_target, **own)
        self.call("ListStagingAccounts", **at_target)
        self.refused(
            "UpdateReplicationConfiguration",
            "AccessDeniedException",
            **at_target,
            sourceServerID=first,
            bandwidthThrottling=1,
        )
        started = self.call(
            "StartRecovery",
            **at_target,
            sourceServers=[{"sourceServerID": first}],
            isDrill=True,
        )
        self.watch(started["job"]["jobID"], account=TARGET)
        world.accounts.remove_role(
            f"arn:aws:iam::{STAGING}:role/service-role/DRSStagingAccountRole_{TARGET}"
        )
        self.call("DescribeSourceServers", **at_target)
