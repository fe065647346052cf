# ruff: noqa: N803 - parameters have the names AWS gives them
"""The launch and replication settings of each source server, by wire name."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from drportal.simulator.exceptions import (
    AccessDeniedException,
    ConflictException,
    ValidationException,
)
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.resources import SourceServer

# What a server has when the account has no template (AWS CLI examples, DRS user guide).
LAUNCH_DEFAULTS: dict[str, Any] = {
    "launchDisposition": "STARTED",
    "targetInstanceTypeRightSizingMethod": "NONE",
    "copyPrivateIp": False,
    "copyTags": False,
    "licensing": {"osByol": False},
    "postLaunchEnabled": False,
    "recoveryMode": "OPTIMAL",
}
PIT_POLICY: list[dict[str, Any]] = [
    {"ruleID": 1, "units": "MINUTE", "interval": 10, "retentionDuration": 60, "enabled": True},
    {"ruleID": 2, "units": "HOUR", "interval": 1, "retentionDuration": 24, "enabled": True},
    {"ruleID": 3, "units": "DAY", "interval": 1, "retentionDuration": 7, "enabled": True},
]
REPLICATION_DEFAULTS: dict[str, Any] = {
    "associateDefaultSecurityGroup": True,
    "replicationServersSecurityGroupsIDs": [],
    "replicationServerInstanceType": "t3.small",
    "useDedicatedReplicationServer": False,
    "defaultLargeStagingDiskType": "GP3",
    "ebsEncryption": "DEFAULT",
    "bandwidthThrottling": 0,
    "dataPlaneRouting": "PRIVATE_IP",
    "createPublicIP": False,
    "stagingAreaTags": {},
    "pitPolicy": PIT_POLICY,
    "autoReplicateNewDisks": True,
    "internetProtocol": "IPV4",
}


def default_launch_configuration(
    backend: DRSBackend, server: SourceServer, template_id: str
) -> dict[str, Any]:
    """A new server's launch settings: the account template's where it has them."""
    return _from_template(LAUNCH_DEFAULTS, backend.launch_configuration_templates) | {
        "sourceServerID": server.id,
        "name": f"Launch Configuration for Source Server {server.id}",
        "ec2LaunchTemplateID": template_id,
    }


def default_replication_configuration(backend: DRSBackend, server: SourceServer) -> dict[str, Any]:
    """A new server's replication settings: the account template's where it has them."""
    settings = _from_template(REPLICATION_DEFAULTS, backend.replication_configuration_templates)
    settings.setdefault("stagingAreaSubnetId", "subnet-00000000")
    return settings | {
        "sourceServerID": server.id,
        "name": f"Replication Configuration for Source Server {server.id}",
        "replicatedDisks": [
            {
                "deviceName": disk.device,
                "isBootDisk": number == 0,
                "stagingDiskType": "AUTO",
                "optimizedStagingDiskType": "GP3",
                "iops": 0,
                "throughput": 0,
            }
            for number, disk in enumerate(server.disks)
        ],
    }


def _from_template(
    defaults: dict[str, Any], templates: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    template = next(iter(templates.values()), {})
    known = defaults.keys() | {"stagingAreaSubnetId", "ebsEncryptionKeyArn"}
    return deepcopy(defaults | {name: value for name, value in template.items() if name in known})


def get_launch_configuration(backend: DRSBackend, *, sourceServerID: str) -> dict[str, Any]:
    """The wire shape LaunchConfiguration."""
    backend.server(sourceServerID)
    return deepcopy(backend.launch_configurations[sourceServerID])


def update_launch_configuration(
    backend: DRSBackend, *, sourceServerID: str, **changes: Any
) -> dict[str, Any]:
    """Changes the members given. `ec2LaunchTemplateID` cannot be changed."""
    backend.server(sourceServerID)
    current = backend.launch_configurations[sourceServerID]
    changed = current | changes
    _check_launch_into(changed)
    current.update(changed)
    return deepcopy(current)


def _check_launch_into(configuration: dict[str, Any]) -> None:
    into = configuration.get("launchIntoInstanceProperties", {}).get("launchIntoEC2InstanceID")
    if into and (configuration["copyTags"] or configuration["copyPrivateIp"]):
        raise ValidationException(
            "Launching into an instance excludes copyTags and copyPrivateIp.",
            reason="fieldValidationFailed",
            fields=[
                ("launchIntoInstanceProperties", "excludes copyTags and copyPrivateIp"),
            ],
        )


def get_replication_configuration(backend: DRSBackend, *, sourceServerID: str) -> dict[str, Any]:
    """The wire shape ReplicationConfiguration."""
    backend.server(sourceServerID)
    return deepcopy(backend.replication_configurations[sourceServerID])


def update_replication_configuration(
    backend: DRSBackend, *, sourceServerID: str, **changes: Any
) -> dict[str, Any]:
    """Changes the members given. An extended server's are the staging account's to change."""
    server = backend.server(sourceServerID)
    if server.extension is not None:
        raise AccessDeniedException(
            "The replication settings of an extended source server can only be edited in its "
            "staging account."
        )
    if server.replication.state == "DISCONNECTED":
        raise ConflictException(
            f"Source server {server.id} is disconnected.",
            resourceId=server.id,
            resourceType="SourceServer",
        )
    current = backend.replication_configurations[sourceServerID]
    current.update(deepcopy(changes))
    return deepcopy(current)


HANDLERS: dict[str, Handler] = {
    "GetLaunchConfiguration": get_launch_configuration,
    "UpdateLaunchConfiguration": update_launch_configuration,
    "GetReplicationConfiguration": get_replication_configuration,
    "UpdateReplicationConfiguration": update_replication_configuration,
}
