"""EC2 launch templates: their default versions, and new ones made from those."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable, translated, unreadable
from drportal.transactions import reaches_outside

_LONGEST_DESCRIPTION = 255


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One version of a launch template. `data` is its LaunchTemplateData."""

    template_id: str
    number: int
    data: dict[str, Any] = field(repr=False)


class LaunchTemplates:
    """EC2 launch templates in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def default(self, template_id: str) -> TemplateVersion:
        """The default version, which is the one that DRS launches with."""
        operation = "DescribeLaunchTemplateVersions"
        found = listed(
            client("ec2", Use.READ, self.scope),
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            operation=operation,
            scope=self.scope,
            LaunchTemplateId=template_id,
            Versions=["$Default"],
        )
        with readable(operation, self.scope):
            for item in found:
                return _version(item)
        raise unreadable(operation, self.scope, f"no default version of {template_id}")

    @reaches_outside
    def make_version(
        self,
        source: TemplateVersion,
        members: Mapping[str, Any],
        *,
        gone: Collection[str] = (),
        description: str,
    ) -> int:
        """A new version: `source` with other `members`, and without those that are `gone`.

        Every other member is inherited from `source`, also one that we do not know. Returns its
        number. It is not the default yet.
        """
        arguments: dict[str, Any] = {"SourceVersion": str(source.number)}
        arguments["LaunchTemplateData"] = dict(members)
        if gone:
            # A version that inherits cannot leave anything out, so this one is written in full.
            kept = {name: value for name, value in source.data.items() if name not in gone}
            arguments = {"LaunchTemplateData": {**kept, **members}}
        operation = "CreateLaunchTemplateVersion"
        with translated(operation, self.scope):
            answer = client("ec2", Use.WRITE, self.scope).create_launch_template_version(
                LaunchTemplateId=source.template_id,
                VersionDescription=description[:_LONGEST_DESCRIPTION],
                **arguments,
            )
        with readable(operation, self.scope):
            return int(answer["LaunchTemplateVersion"]["VersionNumber"])

    @reaches_outside
    def make_default(self, template_id: str, number: int) -> None:
        """Make a version the default. Doing it twice does no harm."""
        with translated("ModifyLaunchTemplate", self.scope):
            client("ec2", Use.WRITE, self.scope).modify_launch_template(
                LaunchTemplateId=template_id, DefaultVersion=str(number)
            )


def _version(item: dict[str, Any]) -> TemplateVersion:
    return TemplateVersion(
        template_id=item["LaunchTemplateId"],
        number=item["VersionNumber"],
        data=item.get("LaunchTemplateData", {}),
    )
