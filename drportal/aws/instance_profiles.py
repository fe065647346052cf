"""The IAM instance profiles that an instance can be launched with."""

from dataclasses import dataclass
from typing import Any

from drportal.aws.errors import AwsError, Failure
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable, translated
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    """An instance profile. IAM is one for all Regions of an account."""

    name: str
    arn: str


class InstanceProfiles:
    """The instance profiles of one scope's account. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def all(self) -> list[InstanceProfile]:
        """Every instance profile, by name."""
        reader = client("iam", Use.READ, self.scope)
        operation = "ListInstanceProfiles"
        found = listed(
            reader,
            "list_instance_profiles",
            "InstanceProfiles",
            operation=operation,
            scope=self.scope,
        )
        with readable(operation, self.scope):
            return sorted(map(_profile, found), key=lambda profile: profile.name)

    @reaches_outside
    def named(self, name: str) -> InstanceProfile | None:
        """The profile of this name, or None if IAM says that there is none."""
        try:
            with translated("GetInstanceProfile", self.scope):
                answer = client("iam", Use.READ, self.scope).get_instance_profile(
                    InstanceProfileName=name
                )
        except AwsError as error:
            if error.failure == Failure.NOT_FOUND:
                return None
            raise
        with readable("GetInstanceProfile", self.scope):
            return _profile(answer["InstanceProfile"])


def _profile(item: dict[str, Any]) -> InstanceProfile:
    return InstanceProfile(name=item["InstanceProfileName"], arn=item.get("Arn", ""))
