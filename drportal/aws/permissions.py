"""Every operation that the gateway calls, and the IAM permissions that it needs in the account.

A test reads the gateway's code and fails when an operation is not here. The template of the role
and the validation of an account are made from this table, so what is called, what is allowed and
what is looked for are the same. Resources and conditions are as narrow as the services allow
(AWS service authorization reference; AWS's own policies for consoles of DRS).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ANY: Final = "*"
MANAGED: Final = "AWSElasticDisasterRecoveryManaged"  # the tag on everything that DRS makes
INTO: Final = ("AWSDRS", "AllowLaunchingIntoThisInstance")  # the tag of a prepared instance


Equals = tuple[tuple[str, tuple[str, ...]], ...]


class Tagged(StrEnum):
    """Where the tag of what DRS manages must be, for a permission to hold."""

    NOWHERE = ""
    RESOURCE = "aws:ResourceTag"
    REQUEST = "aws:RequestTag"


@dataclass(frozen=True, slots=True)
class Permission:
    """An IAM action on a kind of resource.

    `resource` is an ARN with {partition} and {account} to be filled in. `via_aws`: only when DRS
    does it with the caller's credentials, for the portal itself never does. `tagged`: only on what
    has, or is made with, DRS's tag. `equals` are further conditions: a key, and the values one of
    which it must have.
    """

    action: str
    resource: str = ANY
    via_aws: bool = False
    tagged: Tagged = Tagged.NOWHERE
    equals: Equals = ()


Operations = Mapping[str, Mapping[str, tuple[Permission, ...]]]


def _drs(kind: str, *, account: str = "{account}") -> str:
    return f"arn:{{partition}}:drs:*:{account}:{kind}/*"


def _ec2(kind: str) -> str:
    # Images and snapshots have no account in their ARNs, or another's.
    account = "*" if kind in {"image", "snapshot"} else "{account}"
    return f"arn:{{partition}}:ec2:*:{account}:{kind}/*"


def _role(name: str) -> str:
    return f"arn:{{partition}}:iam::{{account}}:role/service-role/{name}"


_SERVER, _INSTANCE, _JOB = _drs("source-server"), _drs("recovery-instance"), _drs("job")
_LAUNCH_TEMPLATE = _ec2("launch-template")
_PASSED_TO_EC2 = (("iam:PassedToService", ("ec2.amazonaws.com",)),)
_PREPARED = ((f"ec2:ResourceTag/{INTO[0]}", (INTO[1],)),)
_RUNS_COMMANDS = ((f"ssm:resourceTag/{MANAGED}", ("drs.amazonaws.com",)),)
_MADE_BY = ("CreateFleet", "CreateNetworkInterface", "CreateSecurityGroup", "CreateSnapshot")
_MADE_BY_DRS = (("ec2:CreateAction", (*_MADE_BY, "CreateVolume", "RunInstances")),)
# The roles that DRS gives to instances, when nobody says otherwise (DRS user guide).
_DRS_ROLES = (
    "AWSElasticDisasterRecoveryConversionServerRole",
    "AWSElasticDisasterRecoveryRecoveryInstanceRole",
    "AWSElasticDisasterRecoveryRecoveryInstanceWithLaunchActionsRole",
)


def _reads(service: str, *names: str) -> tuple[Permission, ...]:
    return tuple(Permission(f"{service}:{name}") for name in names)


def _through_drs(
    action: str,
    *kinds: str,
    tagged: Tagged = Tagged.NOWHERE,
    equals: Equals = (),
) -> tuple[Permission, ...]:
    return tuple(
        Permission(f"ec2:{action}", _ec2(kind), via_aws=True, tagged=tagged, equals=equals)
        for kind in kinds
    )


def _edits_launch_templates(*actions: str) -> tuple[Permission, ...]:
    return tuple(
        Permission(f"ec2:{action}", _LAUNCH_TEMPLATE, tagged=Tagged.RESOURCE) for action in actions
    )


# What DRS looks at in EC2 with the caller's credentials, for a launch and to end one.
_LAUNCH_READS = _reads(
    "ec2",
    "DescribeAccountAttributes",
    "DescribeAvailabilityZones",
    "DescribeImages",
    "DescribeInstanceAttribute",
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeLaunchTemplates",
    "DescribeLaunchTemplateVersions",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSubnets",
    "DescribeVolumes",
    "GetEbsDefaultKmsKeyId",
    "GetEbsEncryptionByDefault",
    "GetInstanceTypesFromInstanceRequirements",
)
# What it makes and changes. Without one of these StartRecovery is accepted and every server of
# the job fails later, with UnauthorizedOperation (field logs).
_LAUNCH_WRITES = (
    *_edits_launch_templates(
        "CreateLaunchTemplateVersion", "DeleteLaunchTemplateVersions", "ModifyLaunchTemplate"
    ),
    Permission("ec2:CreateLaunchTemplate", _LAUNCH_TEMPLATE, tagged=Tagged.REQUEST),
    Permission(
        "ec2:CreateTags",
        _LAUNCH_TEMPLATE,
        equals=(("ec2:CreateAction", ("CreateLaunchTemplate",)),),
    ),
    *_through_drs("CreateSnapshot", "volume", tagged=Tagged.RESOURCE),
    *_through_drs("CreateSnapshot", "snapshot", tagged=Tagged.REQUEST),
    *_through_drs("DeleteSnapshot", "snapshot", tagged=Tagged.RESOURCE),
    *_through_drs("CreateVolume", "volume", tagged=Tagged.REQUEST),
    *_through_drs("CreateVolume", "snapshot", tagged=Tagged.RESOURCE),
    *_through_drs("DeleteVolume", "volume", tagged=Tagged.RESOURCE),
    *_through_drs("AttachVolume", "instance", "volume", tagged=Tagged.RESOURCE),
    *_through_drs("DetachVolume", "instance", tagged=Tagged.RESOURCE),
    *_through_drs("DetachVolume", "volume"),
    *_through_drs("RunInstances", "instance", tagged=Tagged.REQUEST),
    *_through_drs(
        "RunInstances",
        "image",
        "launch-template",
        "network-interface",
        "security-group",
        "subnet",
        "volume",
    ),
    *_through_drs(
        "CreateFleet", "fleet", "image", "instance", "launch-template", "subnet", "volume"
    ),
    *(
        permission
        for action in ("ModifyInstanceAttribute", "StartInstances", "StopInstances")
        for permission in _through_drs(action, "instance", tagged=Tagged.RESOURCE)
    ),
    *_through_drs("TerminateInstances", "instance", tagged=Tagged.RESOURCE),
    *_through_drs("AssociateIamInstanceProfile", "instance", tagged=Tagged.RESOURCE),
    *(
        permission
        for action in ("AttachVolume", "DetachVolume", "StartInstances")
        for permission in _through_drs(action, "instance", equals=_PREPARED)
    ),
    *(
        permission
        for action in (
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupEgress",
        )
        for permission in _through_drs(action, "security-group", tagged=Tagged.RESOURCE)
    ),
    *_through_drs("CreateSecurityGroup", "security-group", tagged=Tagged.REQUEST),
    *_through_drs("CreateSecurityGroup", "vpc"),
    *_through_drs("CreateNetworkInterface", "network-interface", tagged=Tagged.REQUEST),
    *_through_drs("CreateNetworkInterface", "security-group", "subnet"),
    *_through_drs(
        "CreateTags",
        "instance",
        "network-interface",
        "security-group",
        "snapshot",
        "volume",
        equals=_MADE_BY_DRS,
    ),
    *(Permission("iam:PassRole", _role(name), equals=_PASSED_TO_EC2) for name in _DRS_ROLES),
)
_TERMINATION = (
    *_reads("ec2", "DescribeInstances", "DescribeVolumes"),
    *_through_drs("DeleteVolume", "volume", tagged=Tagged.RESOURCE),
    *_through_drs("TerminateInstances", "instance", tagged=Tagged.RESOURCE),
    Permission("drs:DescribeSourceServers"),
)

_DRS: Mapping[str, tuple[Permission, ...]] = {
    **{
        name: _reads("drs", name)
        for name in (
            "DescribeJobs",
            "DescribeRecoveryInstances",
            "DescribeSourceServers",
            "ListExtensibleSourceServers",
            "ListStagingAccounts",
        )
    },
    "DescribeJobLogItems": (Permission("drs:DescribeJobLogItems", _JOB),),
    "DescribeRecoverySnapshots": (Permission("drs:DescribeRecoverySnapshots", _SERVER),),
    "GetLaunchConfiguration": (Permission("drs:GetLaunchConfiguration", _SERVER),),
    "GetReplicationConfiguration": (Permission("drs:GetReplicationConfiguration", _SERVER),),
    "ListTagsForResource": (
        Permission("drs:ListTagsForResource", _SERVER),
        Permission("drs:ListTagsForResource", _INSTANCE),
    ),
    "TagResource": tuple(
        Permission("drs:TagResource", kind) for kind in (_SERVER, _INSTANCE, _JOB)
    ),
    "UntagResource": tuple(
        Permission("drs:UntagResource", kind) for kind in (_SERVER, _INSTANCE, _JOB)
    ),
    "UpdateLaunchConfiguration": (
        Permission("drs:UpdateLaunchConfiguration", _SERVER),
        *_LAUNCH_READS,
        *_edits_launch_templates("CreateLaunchTemplateVersion", "ModifyLaunchTemplate"),
    ),
    "CreateExtendedSourceServer": (
        # The server that is extended is the staging account's.
        Permission("drs:CreateExtendedSourceServer", _drs("source-server", account="*")),
        Permission("drs:DescribeSourceServers"),
        Permission("drs:GetReplicationConfiguration", _drs("source-server", account="*")),
        Permission("drs:TagResource", _SERVER),
    ),
    "StartRecovery": (
        Permission("drs:StartRecovery", _SERVER),
        Permission("drs:CreateRecoveryInstanceForDrs", _SERVER),
        Permission("drs:ListTagsForResource", _SERVER),
        Permission("drs:ListTagsForResource", _INSTANCE),
        Permission("drs:TagResource", _JOB),
        *_LAUNCH_READS,
        *_LAUNCH_WRITES,
    ),
    "TerminateRecoveryInstances": (
        Permission("drs:TerminateRecoveryInstances", _INSTANCE),
        *_TERMINATION,
    ),
    # The way back, after a recovery.
    "ReverseReplication": (
        Permission("drs:ReverseReplication", _INSTANCE),
        *_reads("drs", "DescribeReplicationConfigurationTemplates", "DescribeSourceServers"),
        *_reads("ec2", "DescribeInstances"),
    ),
    **{
        name: (Permission(f"drs:{name}", _INSTANCE),)
        for name in ("DisconnectRecoveryInstance", "StartFailbackLaunch", "StopFailback")
    },
}
_EC2: Mapping[str, tuple[Permission, ...]] = {
    **{
        name: _reads("ec2", name)
        for name in (
            "DescribeAvailabilityZones",
            "DescribeInstances",
            "DescribeInstanceStatus",
            "DescribeInstanceTypeOfferings",
            "DescribeInstanceTypes",
            "DescribeLaunchTemplates",
            "DescribeLaunchTemplateVersions",
            "DescribeNetworkInterfaces",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeVpcs",
        )
    },
    **{
        name: _edits_launch_templates(name)
        for name in ("CreateLaunchTemplateVersion", "ModifyLaunchTemplate")
    },
    # Asked as a dry run only, by the validation: see `drportal.aws.trials`.
    "CreateVolume": (
        *_through_drs("CreateVolume", "volume", tagged=Tagged.REQUEST),
        *_through_drs("CreateVolume", "snapshot", tagged=Tagged.RESOURCE),
    ),
}
_THE_ROLE: Final = "{role}"

# What is called with an account's role: service, operation, what it needs there.
OPERATIONS: Operations = {
    "drs": _DRS,
    "ec2": _EC2,
    "iam": {
        "ListInstanceProfiles": _reads("iam", "ListInstanceProfiles"),
        "GetInstanceProfile": (
            Permission(
                "iam:GetInstanceProfile", "arn:{partition}:iam::{account}:instance-profile/*"
            ),
        ),
        "SimulatePrincipalPolicy": (Permission("iam:SimulatePrincipalPolicy", _THE_ROLE),),
    },
    "kms": {"DescribeKey": (Permission("kms:DescribeKey", "arn:{partition}:kms:*:*:key/*"),)},
    "service-quotas": {
        "ListServiceQuotas": _reads("servicequotas", "ListServiceQuotas"),
        "GetServiceQuota": _reads("servicequotas", "GetServiceQuota"),
    },
    # For checks after a launch. Commands go to instances that DRS has made, and to no others.
    "ssm": {
        **{
            name: _reads("ssm", name)
            for name in ("DescribeInstanceInformation", "GetCommandInvocation", "ListCommands")
        },
        "SendCommand": (
            Permission("ssm:SendCommand", "arn:{partition}:ssm:*:*:document/*"),
            Permission("ssm:SendCommand", _ec2("instance"), equals=_RUNS_COMMANDS),
        ),
    },
    "sts": {"GetCallerIdentity": ()},  # needs no permission, and none can forbid it (STS)
}
# What is called with the portal's own credentials only, in its own account.
OPERATIONS_AT_HOME: Mapping[str, frozenset[str]] = {
    "sts": frozenset({"AssumeRole", "GetCallerIdentity"}),
    "dynamodb": frozenset(
        {
            "BatchWriteItem",
            "CreateTable",
            "DescribeContinuousBackups",
            "DescribeTable",
            "DescribeTimeToLive",
            "GetItem",
            "PutItem",
            "Scan",
            "UpdateContinuousBackups",
            "UpdateItem",
            "UpdateTimeToLive",
        }
    ),
    "sns": frozenset({"Publish"}),
}
# Of a staging account's role no more is asked than to look: DRS itself, by another role, does
# what an extension needs there.
IN_STAGING: Mapping[str, frozenset[str]] = {
    "drs": frozenset({"DescribeSourceServers", "GetReplicationConfiguration"}),
    "iam": frozenset({"SimulatePrincipalPolicy"}),
    "kms": frozenset({"DescribeKey"}),
    "service-quotas": frozenset({"ListServiceQuotas", "GetServiceQuota"}),
}


def needed(only: Mapping[str, Iterable[str]] | None = None) -> tuple[Permission, ...]:
    """What the role of an account needs for all operations, or for those of `only`; each once."""
    wanted = {service: frozenset(names) for service, names in (only or OPERATIONS).items()}
    found = (
        permission
        for service, operations in OPERATIONS.items()
        for name, permissions in operations.items()
        if name in wanted.get(service, ())
        for permission in permissions
    )
    return tuple(dict.fromkeys(found))
