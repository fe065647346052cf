"""The CloudFormation template of the role by which the portal enters an account.

Least privilege: the permissions are those of `drportal.aws.permissions`, each on the resources and
under the conditions named there. Nothing is a pattern of actions.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drportal.aws.permissions import ANY, MANAGED, Permission, Tagged

_POLICY_VERSION = "2012-10-17"
_INSTANCE_ROLES = "InstanceRoles"


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """The role that a template makes: in which account, whom it trusts, what it must be told."""

    role_arn: str
    hub_account_id: str
    external_id: str

    @property
    def partition(self) -> str:
        return self.role_arn.split(":")[1]

    @property
    def account_id(self) -> str:
        return self.role_arn.split(":")[4]

    @property
    def name(self) -> str:
        return self.role_arn.rsplit("/", 1)[1]

    @property
    def path(self) -> str:
        """The path of the role's name, / if it has none."""
        middle = self.role_arn.split(":role", 1)[1]
        return middle[: middle.rindex("/") + 1]


def template(role: RoleSpec, permissions: Iterable[Permission]) -> dict[str, Any]:
    """The template, as a document. It makes one role with one policy, and asks for one thing."""
    own_roles = {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": {"Ref": _INSTANCE_ROLES},
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }
    passing = {"Fn::If": ["PassesInstanceRoles", own_roles, {"Ref": "AWS::NoValue"}]}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": (
            f"The role by which the DR portal in account {role.hub_account_id} enters account "
            f"{role.account_id}. Make it in that account, in any one Region."
        ),
        "Parameters": {
            _INSTANCE_ROLES: {
                "Type": "CommaDelimitedList",
                "Default": "",
                "Description": (
                    "ARNs of the roles of your own instance profiles that recovered instances get. "
                    "Empty: those that DRS makes."
                ),
            }
        },
        "Conditions": {
            "PassesInstanceRoles": {
                "Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": _INSTANCE_ROLES}]}, ""]}]
            }
        },
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": role.name,
                    "Path": role.path,
                    "MaxSessionDuration": 3600,
                    "AssumeRolePolicyDocument": _trust(role),
                    "Policies": [
                        {
                            "PolicyName": "DRPortal",
                            "PolicyDocument": {
                                "Version": _POLICY_VERSION,
                                "Statement": [*statements(role, permissions), passing],
                            },
                        }
                    ],
                },
            }
        },
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }


def as_text(document: Mapping[str, Any]) -> str:
    """The template as it is downloaded: JSON."""
    return json.dumps(document, indent=2) + "\n"


def statements(role: RoleSpec, permissions: Iterable[Permission]) -> list[dict[str, Any]]:
    """The policy's statements: as few as say the same."""
    resources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for permission in permissions:
        condition = json.dumps(_condition(permission), sort_keys=True)
        resources[permission.action, condition].append(_filled(permission.resource, role))
    actions: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (action, condition), arns in resources.items():
        actions[condition, tuple(sorted(arns))].append(action)
    return [
        {"Effect": "Allow", "Action": sorted(names), "Resource": _one_or_all(arns)}
        | ({"Condition": json.loads(condition)} if condition != "{}" else {})
        for (condition, arns), names in sorted(actions.items())
    ]


def _trust(role: RoleSpec) -> dict[str, Any]:
    return {
        "Version": _POLICY_VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{role.partition}:iam::{role.hub_account_id}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": role.external_id}},
            }
        ],
    }


def _filled(resource: str, role: RoleSpec) -> str:
    if resource == ANY:
        return ANY
    return resource.format(partition=role.partition, account=role.account_id, role=role.role_arn)


def _condition(permission: Permission) -> dict[str, dict[str, Any]]:
    condition: dict[str, dict[str, Any]] = {}
    if permission.via_aws:
        condition["Bool"] = {"aws:ViaAWSService": "true"}
    if permission.tagged is not Tagged.NOWHERE:
        condition["Null"] = {f"{permission.tagged}/{MANAGED}": "false"}
    if permission.equals:
        condition["StringEquals"] = {
            key: values[0] if len(values) == 1 else list(values)
            for key, values in permission.equals
        }
    return condition


def _one_or_all(arns: tuple[str, ...]) -> str | list[str]:
    return arns[0] if len(arns) == 1 else list(arns)
