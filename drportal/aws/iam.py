"""IAM: what the role by which an account is entered may do there."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drportal.aws.errors import AwsError, Call, Failure
from drportal.aws.permissions import ANY, MANAGED, Permission, Tagged
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, pages
from drportal.transactions import reaches_outside

_DRS_TAG = "drs.amazonaws.com"  # the value of the tag on what DRS makes (field logs)
_SAMPLE = "0123456789abcdef0"


@dataclass(frozen=True, slots=True)
class Lacking:
    """An action that the role may not do. `by_organization`: a policy of the organization, not
    the role's own, says no.
    """

    action: str
    by_organization: bool


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """What an action is simulated with."""

    resource: str
    via_aws: bool
    context: tuple[tuple[str, str], ...]

    def entries(self, region: str) -> list[dict[str, Any]]:
        values = {"aws:RequestedRegion": region, **dict(self.context)}
        entries = [_entry(key, value) for key, value in values.items()]
        via = _entry("aws:ViaAWSService", "true" if self.via_aws else "false", kind="boolean")
        return [*entries, via]


class Iam:
    """What `principal`, a role's or user's ARN, may do in one scope, which it is entered by.

    Every method may raise AwsError.
    """

    def __init__(self, scope: Scope, principal: str) -> None:
        self.scope = scope
        self.principal = principal

    @reaches_outside
    def lacking(self, permissions: Iterable[Permission]) -> list[Lacking]:
        """Those of `permissions` that the principal does not have in this Region, by name.

        IAM simulates the principal's policies, its boundary and those of the organization, each
        action with such a resource and such conditions as it is called with. That is the truth
        but for policies on resources.
        """
        found: dict[str, Lacking] = {}
        for circumstances, actions in _alike(permissions).items():
            for result in self._simulated(circumstances, sorted(actions)):
                if result.get("EvalDecision") == "allowed":
                    continue
                detail = result.get("OrganizationsDecisionDetail") or {}
                refused = detail.get("AllowedByOrganizations") is False
                action = str(result["EvalActionName"])
                if action not in found or refused:
                    found[action] = Lacking(action, by_organization=refused)
        return [found[action] for action in sorted(found)]

    def _simulated(self, these: _Circumstances, actions: list[str]) -> list[dict[str, Any]]:
        answered = pages(
            client("iam", Use.READ, self.scope),
            "simulate_principal_policy",
            operation="SimulatePrincipalPolicy",
            scope=self.scope,
            PolicySourceArn=self.principal,
            ActionNames=actions,
            ResourceArns=[self._sample(these.resource)],
            ContextEntries=these.entries(self.scope.region),
        )
        results = [result for page in answered for result in page.get("EvaluationResults", [])]
        if not {result.get("EvalActionName") for result in results}.issuperset(actions):
            # What was not judged is neither allowed nor denied.
            call = Call("SimulatePrincipalPolicy", self.scope.account_id, self.scope.region)
            raise AwsError(Failure.OTHER, "IAM did not judge every action", call=call)
        return results

    def _sample(self, resource: str) -> str:
        """An ARN that `resource` stands for: of the account, in the Region."""
        if resource == ANY:
            return ANY
        account, region = self.scope.account_id, self.scope.region
        partition = self.principal.split(":")[1]
        arn = resource.format(partition=partition, account=account, role=self.principal)
        arn = arn.replace(":*:*:", f":{region}:{account}:").replace(":*:", f":{region}:")
        return arn.replace("/*", f"/{_SAMPLE}")


def _entry(key: str, value: str, *, kind: str = "string") -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": kind}


def _alike(permissions: Iterable[Permission]) -> dict[_Circumstances, set[str]]:
    """The actions by what they are simulated with: one call for all that share it."""
    found: dict[_Circumstances, set[str]] = defaultdict(set)
    for permission in permissions:
        context = tuple((key, values[0]) for key, values in permission.equals)
        if permission.tagged is not Tagged.NOWHERE:
            context = (*context, (f"{permission.tagged}/{MANAGED}", _DRS_TAG))
        these = _Circumstances(permission.resource, permission.via_aws, context)
        found[these].add(permission.action)
    return found
