"""What runs inside simulated instances, as far as it is seen from outside: EC2's status checks,
and the agent of Systems Manager with the commands that it carries out.

moto's EC2 knows no status check that has not ended, and its Systems Manager has no agents and one
outcome. A test says with `world.guests.add` what the instance of a server does; an instance of
which nothing is said gets well two minutes after its launch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance

from drportal.simulator.models import drs_backends
from drportal.simulator.protocol import Answer, Asked, Refusal, answer

INITIALIZING = timedelta(minutes=2)


@dataclass
class Guest:
    """What the instance of a server does: `status` of EC2's checks once they have ended, whether
    its agent is `online`, how commands end there, and the `address` that it has instead of one of
    its subnet.
    """

    status: str = "ok"
    initializing: timedelta = INITIALIZING
    online: bool = True
    outcome: str = "Success"
    code: int = 0
    output: str = ""
    address: str = ""


@dataclass
class Sent:
    """A command, on one instance, and when its outcome is there."""

    command_id: str
    instance_id: str
    document: str
    parameters: dict[str, list[str]]
    comment: str
    at: datetime


@dataclass
class Guests:
    """The guests of the world, by a shell pattern of host names, and the commands by place."""

    _said: dict[str, Guest] = field(default_factory=dict)
    sent: dict[tuple[str, str], list[Sent]] = field(default_factory=dict)

    def add(self, hostname: str, **facts: Any) -> Guest:
        """Say what the instances of such servers do, instead of what was said before."""
        self._said[hostname] = Guest(**facts)
        return self._said[hostname]

    def of(self, hostname: str) -> Guest:
        for pattern, guest in self._said.items():
            if fnmatchcase(hostname, pattern):
                return guest
        return Guest()


def answered(wanted: Asked, account: str, guests: Guests, now: datetime) -> Answer | None:
    """The answer to what concerns the inside of instances; None for any other request."""
    if (wanted.service, wanted.operation) == ("ec2", "DescribeInstanceStatus"):
        return _statuses(wanted, account, guests, now)
    operations = {
        "DescribeInstanceInformation": _information,
        "SendCommand": _send,
        "ListCommands": _commands,
        "GetCommandInvocation": _invocation,
    }
    if wanted.service != "ssm" or wanted.operation not in operations:
        return None
    return operations[wanted.operation](wanted, (account, wanted.region), guests, now)


def _guest(account: str, region: str, instance_id: str, guests: Guests) -> Guest:
    known = drs_backends[account][region].instances.get(instance_id)
    return guests.of(known.hostname if known else "")


def _instances(account: str, region: str) -> dict[str, Instance]:
    reservations = ec2_backends[account][region].reservations.values()
    return {each.id: each for reservation in reservations for each in reservation.instances}


def _statuses(wanted: Asked, account: str, guests: Guests, now: datetime) -> Answer:
    asked_for = {
        value for name, value in wanted.params.items() if name.startswith("Filter.1.Value.")
    }
    items = []
    for each in _instances(account, wanted.region).values():
        if each.id not in asked_for:
            continue
        guest = _guest(account, wanted.region, each.id, guests)
        status = "not-applicable"
        if each.state == "running":
            up_for = now - each.launch_time.replace(tzinfo=UTC)
            status = "initializing" if up_for < guest.initializing else guest.status
        items.append(
            f"<item><instanceId>{each.id}</instanceId><instanceState><code>16</code>"
            f"<name>{each.state}</name></instanceState>"
            f"<systemStatus><status>{status}</status></systemStatus>"
            f"<instanceStatus><status>{status}</status></instanceStatus></item>"
        )
    body = (
        '<DescribeInstanceStatusResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>simulated</requestId><instanceStatusSet>{''.join(items)}</instanceStatusSet>"
        "</DescribeInstanceStatusResponse>"
    )
    return Answer(200, {"Content-Type": "text/xml"}, body)


def _is_online(place: tuple[str, str], instance_id: str, guests: Guests) -> bool:
    found = _instances(*place).get(instance_id)
    running = found is not None and found.state == "running"
    return running and _guest(*place, instance_id, guests).online


def _information(wanted: Asked, place: tuple[str, str], guests: Guests, _: datetime) -> Answer:
    asked_for = wanted.params.get("Filters", [{}])[0].get("Values", [])
    found = [
        {"InstanceId": pk, "PingStatus": "Online"}
        for pk in asked_for
        if _is_online(place, pk, guests)
    ]
    return _well({"InstanceInformationList": found})


def _send(wanted: Asked, place: tuple[str, str], guests: Guests, now: datetime) -> Answer:
    said = wanted.params
    if not all(_is_online(place, pk, guests) for pk in said["InstanceIds"]):
        told = "Instances not in a valid state for account"
        return answer(Refusal(400, "InvalidInstanceId", told), "ssm")
    command_id = str(uuid4())
    guests.sent.setdefault(place, []).extend(
        Sent(
            command_id,
            pk,
            said["DocumentName"],
            said.get("Parameters", {}),
            said.get("Comment", ""),
            now,
        )
        for pk in said["InstanceIds"]
    )
    command = {
        "CommandId": command_id,
        "Comment": said.get("Comment", ""),
        "Status": "Pending",
        "InstanceIds": said["InstanceIds"],
    }
    return _well({"Command": command})


def _commands(wanted: Asked, place: tuple[str, str], guests: Guests, _: datetime) -> Answer:
    found = [
        {"CommandId": each.command_id, "Comment": each.comment, "InstanceIds": [each.instance_id]}
        for each in guests.sent.get(place, [])
        if each.instance_id == wanted.params.get("InstanceId")
    ]
    return _well({"Commands": found})


def _invocation(wanted: Asked, place: tuple[str, str], guests: Guests, _: datetime) -> Answer:
    key = (wanted.params["CommandId"], wanted.params["InstanceId"])
    for each in guests.sent.get(place, []):
        if (each.command_id, each.instance_id) == key:
            guest = _guest(*place, each.instance_id, guests)
            return _well(
                {
                    "CommandId": each.command_id,
                    "InstanceId": each.instance_id,
                    "Status": guest.outcome,
                    "ResponseCode": guest.code,
                    "StandardOutputContent": guest.output,
                }
            )
    return answer(Refusal(400, "InvocationDoesNotExist", "No such invocation."), "ssm")


def _well(body: dict[str, Any]) -> Answer:
    return Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body))
