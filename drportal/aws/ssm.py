"""Systems Manager in one account and Region: commands on instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable, translated
from drportal.transactions import reaches_outside

# Bounds of SendCommand (Systems Manager API reference); a time-out is for reaching the agent.
LONGEST_COMMENT: Final = 100
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 30, 2_592_000
_UNDER_WAY: Final = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
_LONGEST_OUTPUT: Final = 500


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was sent. `comment` is what whoever sent it called it."""

    command_id: str
    comment: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """What became of a command on one instance. `status` is as Systems Manager spells it."""

    status: str
    code: int
    output: str

    @property
    def under_way(self) -> bool:
        return self.status in _UNDER_WAY

    @property
    def succeeded(self) -> bool:
        return self.status == "Success"


class Ssm:
    """Systems Manager in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def online(self, instance_id: str) -> bool:
        """Whether the agent of an instance answers now."""
        told = listed(
            client("ssm", Use.READ, self.scope),
            "describe_instance_information",
            "InstanceInformationList",
            operation="DescribeInstanceInformation",
            scope=self.scope,
            Filters=[{"Key": "InstanceIds", "Values": [instance_id]}],
        )
        with readable("DescribeInstanceInformation", self.scope):
            return any(
                item["InstanceId"] == instance_id and item["PingStatus"] == "Online"
                for item in told
            )

    @reaches_outside
    def send(
        self,
        instance_id: str,
        document: str,
        parameters: Mapping[str, Sequence[str]],
        *,
        comment: str,
        timeout: int,
    ) -> str:
        """Run a document on an instance, and return the command's id.

        Sent twice, it runs twice: SendCommand has no token. So boto tries once, and after an
        ambiguous AwsError the caller must look for `comment` among `commands` first.
        """
        with translated("SendCommand", self.scope):
            answer = client("ssm", Use.WRITE_ONCE, self.scope).send_command(
                InstanceIds=[instance_id],
                DocumentName=document,
                Parameters={name: list(values) for name, values in parameters.items()},
                Comment=comment[:LONGEST_COMMENT],
                TimeoutSeconds=min(max(timeout, _SHORTEST_TIMEOUT), _LONGEST_TIMEOUT),
            )
        with readable("SendCommand", self.scope):
            return str(answer["Command"]["CommandId"])

    @reaches_outside
    def commands(self, instance_id: str, *, since: datetime) -> list[Command]:
        """The commands that were sent to an instance since then."""
        told = listed(
            client("ssm", Use.READ, self.scope),
            "list_commands",
            "Commands",
            operation="ListCommands",
            scope=self.scope,
            InstanceId=instance_id,
            Filters=[{"key": "InvokedAfter", "value": f"{since:%Y-%m-%dT%H:%M:%SZ}"}],
        )
        with readable("ListCommands", self.scope):
            return [Command(item["CommandId"], item.get("Comment", "")) for item in told]

    @reaches_outside
    def invocation(self, command_id: str, instance_id: str) -> Invocation | None:
        """What became of a command on an instance; None while Systems Manager does not list it,
        as right after it was sent.
        """
        try:
            with translated("GetCommandInvocation", self.scope):
                answer = client("ssm", Use.READ, self.scope).get_command_invocation(
                    CommandId=command_id, InstanceId=instance_id
                )
        except AwsError as error:
            if error.context["aws_code"] == "InvocationDoesNotExist":
                return None
            raise
        with readable("GetCommandInvocation", self.scope):
            said = answer.get("StandardErrorContent") or answer.get("StandardOutputContent") or ""
            return Invocation(
                status=str(answer["Status"]),
                code=int(answer.get("ResponseCode", -1)),
                output=str(said).strip()[:_LONGEST_OUTPUT],
            )
