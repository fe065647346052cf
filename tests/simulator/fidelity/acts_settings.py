"""The acts about what is protected, and with which settings."""

from typing import Any

from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.player import HUB, STAGING, TARGET
from tests.simulator.fidelity.stage import UNKNOWN, Stage

ACTION = "01234567-89ab-cdef-0123-456789abcdef"
PIT_POLICY = [
    {"ruleID": 1, "units": "MINUTE", "interval": 10, "retentionDuration": 60},
    {"ruleID": 2, "units": "HOUR", "interval": 1, "retentionDuration": 24},
    {"ruleID": 3, "units": "DAY", "interval": 1, "retentionDuration": 3},
]


class SettingsActs(Stage):
    def start_up(self) -> None:
        self.refused("DescribeSourceServers", "UninitializedAccountException")
        self.call("InitializeService")
        self.call("InitializeService")

    def inventory(self) -> None:
        everything = self.call("DescribeSourceServers")["items"]
        self.call("DescribeSourceServers", filters={"sourceServerIDs": [server_id("web-1")]})
        self.call("DescribeSourceServers", filters={"sourceServerIDs": [UNKNOWN["server"]]})
        self.call("DescribeSourceServers", filters={"stagingAccountIDs": [STAGING]})
        hints = everything[0]["sourceProperties"]["identificationHints"]
        hardware = next(value for name, value in hints.items() if name != "hostname")
        self.call("DescribeSourceServers", filters={"hardwareId": hardware})
        for order in ("ASC", "DESC"):
            self.call(
                "DescribeRecoverySnapshots",
                sourceServerID=server_id("web-1"),
                order=order,
                filters={"fromDateTime": "2025-06-02T00:00:00Z"},
            )
        self.call("DescribeRecoverySnapshots", sourceServerID=server_id("state-stopped"))

    def templates(self) -> None:
        made = self.call("CreateLaunchConfigurationTemplate", tags={"Owner": "dr"}, copyTags=True)
        identifier = made["launchConfigurationTemplate"]["launchConfigurationTemplateID"]
        self.refused("CreateLaunchConfigurationTemplate", "ServiceQuotaExceededException")
        own = {"launchConfigurationTemplateID": identifier}
        self.call("UpdateLaunchConfigurationTemplate", **own, launchDisposition="STOPPED")
        self.refused(
            "UpdateLaunchConfigurationTemplate",
            "ValidationException",
            **own,
            launchIntoSourceInstance=True,
        )
        self.call("DescribeLaunchConfigurationTemplates")
        self.call(
            "DescribeLaunchConfigurationTemplates", launchConfigurationTemplateIDs=[identifier]
        )
        self.refused(
            "DescribeLaunchConfigurationTemplates",
            "ResourceNotFoundException",
            launchConfigurationTemplateIDs=[UNKNOWN["lct"]],
        )
        self.launch_actions_of(identifier)
        self.call("DeleteLaunchConfigurationTemplate", **own)
        for operation in ("DeleteLaunchConfigurationTemplate", "UpdateLaunchConfigurationTemplate"):
            self.refused(operation, "ResourceNotFoundException", **own)
        self.replication_templates()

    def replication_templates(self) -> None:
        made = self.call(
            "CreateReplicationConfigurationTemplate",
            stagingAreaSubnetId="subnet-01234567",
            replicationServersSecurityGroupsIDs=["sg-01234567"],
            ebsEncryption="DEFAULT",
            bandwidthThrottling=0,
            stagingAreaTags={"Area": "staging"},
            pitPolicy=PIT_POLICY,
        )
        own = {"replicationConfigurationTemplateID": made["replicationConfigurationTemplateID"]}
        self.call("UpdateReplicationConfigurationTemplate", **own, bandwidthThrottling=100)
        self.refused(
            "UpdateReplicationConfigurationTemplate",
            "ValidationException",
            **own,
            arn=made["arn"] + "x",
        )
        self.call("DescribeReplicationConfigurationTemplates")
        self.refused(
            "DescribeReplicationConfigurationTemplates",
            "ResourceNotFoundException",
            replicationConfigurationTemplateIDs=[UNKNOWN["rct"]],
        )
        self.call("DeleteReplicationConfigurationTemplate", **own)
        self.refused("DeleteReplicationConfigurationTemplate", "ResourceNotFoundException", **own)

    def launch_actions(self) -> None:
        self.launch_actions_of(server_id("web-1"))
        resource = {"resourceId": UNKNOWN["server"]}
        self.refused("ListLaunchActions", "ResourceNotFoundException", **resource)
        self.put_action(server_id("web-1"), order=2)
        self.put_action(
            server_id("web-1"),
            order=3,
            actionId=ACTION.replace("0", "1"),
            actionCode="AWS-CreateImage",
        )

    def launch_actions_of(self, resource: str) -> None:
        self.put_action(resource, order=2)
        self.put_action(resource, order=3)
        other = ACTION.replace("0", "2")
        self.put_action(resource, order=4, actionId=other, active=False)
        self.refused(
            "PutLaunchAction",
            "ConflictException",
            **self.action(resource) | {"order": 3, "actionId": other},
        )
        self.call("ListLaunchActions", resourceId=resource)
        self.call("ListLaunchActions", resourceId=resource, filters={"actionIds": [ACTION]})
        for action in (ACTION, other):
            self.call("DeleteLaunchAction", resourceId=resource, actionId=action)
        self.refused(
            "DeleteLaunchAction",
            "ResourceNotFoundException",
            resourceId=resource,
            actionId=ACTION,
        )

    def put_action(self, resource: str, **changes: Any) -> None:
        self.call("PutLaunchAction", **self.action(resource) | changes)

    def action(self, resource: str) -> dict[str, Any]:
        return {
            "resourceId": resource,
            "actionCode": "AWS-RunShellScript",
            "order": 2,
            "actionId": ACTION,
            "optional": False,
            "active": True,
            "name": "Check the web server",
            "actionVersion": "$DEFAULT",
            "category": "VALIDATION",
            "description": "Asks for the front page",
            "parameters": {"commands": {"value": "name-of-a-parameter", "type": "SSM_STORE"}},
        }

    def configurations(self) -> None:
        own = {"sourceServerID": server_id("web-1")}
        self.call("GetLaunchConfiguration", **own)
        self.call("UpdateLaunchConfiguration", **own, postLaunchEnabled=True, copyTags=True)
        self.refused(
            "UpdateLaunchConfiguration",
            "ValidationException",
            **own,
            launchIntoInstanceProperties={"launchIntoEC2InstanceID": UNKNOWN["instance"]},
        )
        self.call("GetReplicationConfiguration", **own)
        self.call("UpdateReplicationConfiguration", **own, pitPolicy=PIT_POLICY)
        unknown = {"sourceServerID": UNKNOWN["server"]}
        for operation in (
            "GetLaunchConfiguration",
            "UpdateLaunchConfiguration",
            "GetReplicationConfiguration",
            "UpdateReplicationConfiguration",
        ):
            self.refused(operation, "ResourceNotFoundException", **unknown)
        self.call(
            "UpdateLaunchConfiguration",
            sourceServerID=server_id("db-2"),
            launchDisposition="STOPPED",
        )

    def tags(self) -> None:
        arn = backend_of().arn_of("source-server", server_id("web-1"))
        self.call("TagResource", resourceArn=arn, tags={"Owner": "dr", "Wave": "1"})
        self.call("ListTagsForResource", resourceArn=arn)
        self.call("UntagResource", resourceArn=arn, tagKeys=["Wave", "Absent"])
        many = {f"key{number}": "" for number in range(50)}
        self.refused("TagResource", "ValidationException", resourceArn=arn, tags=many)
        for unknown, code in (
            (arn + "0", "ResourceNotFoundException"),
            (arn.replace(HUB, TARGET), "AccessDeniedException"),
            ("arn:aws:s3:::some-bucket-that-is-not-ours", "ValidationException"),
        ):
            self.refused("ListTagsForResource", code, resourceArn=unknown)
            self.refused("TagResource", code, resourceArn=unknown, tags={"a": "b"})
            self.refused("UntagResource", code, resourceArn=unknown, tagKeys=["a"])
