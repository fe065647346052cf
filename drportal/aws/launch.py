"""The launch configurations that DRS keeps of its source servers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, readable, translated
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class LaunchConfiguration:
    """A server's launch configuration. `members` are by DRS's own names.

    `template_id` is of its EC2 launch template, which cannot be changed.
    """

    server_id: str
    template_id: str
    members: dict[str, Any] = field(repr=False)


class LaunchConfigurations:
    """DRS's launch configurations in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def of(self, server_id: str) -> LaunchConfiguration:
        """A server's launch configuration."""
        with translated("GetLaunchConfiguration", self.scope):
            answer = client("drs", Use.READ, self.scope).get_launch_configuration(
                sourceServerID=server_id
            )
        return self._configuration("GetLaunchConfiguration", answer)

    @reaches_outside
    def update(self, server_id: str, members: Mapping[str, Any]) -> LaunchConfiguration:
        """Change the members that are given. Doing it twice does no harm.

        DRS may make a new version of the launch template itself when it does (DRS user guide), so
        read the template afterwards.
        """
        with translated("UpdateLaunchConfiguration", self.scope):
            answer = client("drs", Use.WRITE, self.scope).update_launch_configuration(
                sourceServerID=server_id, **members
            )
        return self._configuration("UpdateLaunchConfiguration", answer)

    def _configuration(self, operation: str, answer: dict[str, Any]) -> LaunchConfiguration:
        members = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        with readable(operation, self.scope):
            return LaunchConfiguration(
                server_id=members["sourceServerID"],
                template_id=members["ec2LaunchTemplateID"],
                members=members,
            )
