"""IAM policies, as far as the portal's roles need them: what a role may do, and what IAM says.

A role without a policy may do everything. What it may call is judged by the action and by whether
DRS calls on its behalf; which resource, and how that is tagged, is judged when IAM simulates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from xml.sax.saxutils import escape

Policy = Mapping[str, Any]
Context = Mapping[str, str]

_VIA = "aws:ViaAWSService"
# Signing names that are not the prefix of the service's actions.
_PREFIXES = {"service-quotas": "servicequotas"}


def action_of(service: str, operation: str) -> str:
    """The IAM action that an operation asks for."""
    return f"{_PREFIXES.get(service, service)}:{operation}"


def may_call(policy: Policy, action: str) -> bool:
    """Whether a caller with this policy may call `action` itself, on some resource at least."""
    return any(
        statement["Effect"] == "Allow"
        and _any_matches(statement["Action"], action)
        and statement.get("Condition", {}).get("Bool", {}).get(_VIA) != "true"
        for statement in _statements(policy)
    )


def allows(policy: Policy, action: str, *, resource: str, context: Context) -> bool:
    """Whether a policy allows `action` on `resource` under the conditions in `context`."""
    allowed = False
    for statement in _statements(policy):
        if (
            _any_matches(statement["Action"], action)
            and _any_matches(statement["Resource"], resource)
            and _holds(statement.get("Condition", {}), context)
        ):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


def _statements(policy: Policy) -> Iterator[dict[str, Any]]:
    for statement in policy.get("Statement", []):
        yield {
            **statement,
            "Action": _listed(statement.get("Action")),
            "Resource": _listed(statement.get("Resource")),
        }


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _any_matches(patterns: list[str], value: str) -> bool:
    return any(fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns)


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    return all(
        _condition(operator, context.get(key), _listed(wanted))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _condition(operator: str, found: str | None, wanted: list[str]) -> bool:
    if operator == "Null":
        return (found is None) is (wanted == ["true"])
    if operator in {"Bool", "StringEquals"}:
        return found in wanted
    raise ValueError(f"No condition {operator} is known here.")


def simulated(params: Mapping[str, str], policy: Policy | None, forbidden: set[str]) -> str:
    """IAM's answer to SimulatePrincipalPolicy. `forbidden` are the organization's patterns."""
    actions, resources = _members(params, "ActionNames"), _members(params, "ResourceArns") or ["*"]
    context = _context(params)
    results = "".join(
        _result(action, resource, _decision(policy, forbidden, action, resource, context))
        for action in actions
        for resource in resources
    )
    return (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
        f"<EvaluationResults>{results}</EvaluationResults></SimulatePrincipalPolicyResult>"
        "<ResponseMetadata><RequestId>simulated</RequestId></ResponseMetadata>"
        "</SimulatePrincipalPolicyResponse>"
    )


def _decision(
    policy: Policy | None, forbidden: set[str], action: str, resource: str, context: Context
) -> tuple[str, bool]:
    """What IAM decides, and whether the organization allows it."""
    if _any_matches(sorted(forbidden), action):
        return "explicitDeny", False
    if policy is None or allows(policy, action, resource=resource, context=context):
        return "allowed", True
    return "implicitDeny", True


def _result(action: str, resource: str, decided: tuple[str, bool]) -> str:
    decision, by_organization = decided
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues/>"
        "<OrganizationsDecisionDetail><AllowedByOrganizations>"
        f"{'true' if by_organization else 'false'}"
        "</AllowedByOrganizations></OrganizationsDecisionDetail></member>"
    )


def _members(params: Mapping[str, str], name: str) -> list[str]:
    """A list as the query protocol spells it: NAME.member.1 and so on."""
    found: list[str] = []
    while (value := params.get(f"{name}.member.{len(found) + 1}")) is not None:
        found.append(value)
    return found


def _context(params: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    number = 1
    while key := params.get(f"ContextEntries.member.{number}.ContextKeyName"):
        values = f"ContextEntries.member.{number}.ContextKeyValues.member.1"
        found[key] = params.get(values, "")
        number += 1
    return found
