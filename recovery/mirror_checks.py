"""Checks of launched servers in the mirror: from their rows to items, and back."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from drportal.aws.dynamodb import Item
from drportal.mirror.attributes import moment
from drportal.mirror.rows import columns
from recovery.models import ServerCheck

_CHECK: Final = {
    "id": "checkId",
    "position": "position",
    "name": "name",
    "kind": "kind",
    "required": "required",
    "definition": "definition",
    "state": "status",
    "message": "statusMessage",
    "attempts": "attempts",
    "sends": "sends",
    "command_id": "commandId",
    "looked_at": "lookedAt",
    "started_at": "startedAt",
    "deadline_at": "deadlineAt",
    "intended_at": "intendedAt",
    "finished_at": "finishedAt",
    "by_hand": "passedBy",
    "reason": "reason",
}


def item(check: ServerCheck) -> Item:
    """A check as its wave's item holds it, with its server."""
    return {
        "checkId": str(check.pk),
        "position": check.position,
        "name": check.name,
        "kind": check.kind,
        "required": check.required,
        "definition": check.definition,
        "status": check.state,
        "statusMessage": check.message,
        "attempts": check.attempts,
        "sends": check.sends,
        "commandId": check.command_id,
        "lookedAt": moment(check.looked_at),
        "startedAt": moment(check.started_at),
        "deadlineAt": moment(check.deadline_at),
        "intendedAt": moment(check.intended_at),
        "finishedAt": moment(check.finished_at),
        "passedBy": check.by_hand,
        "reason": check.reason,
    }


def rows(servers: Iterable[Item]) -> Iterator[ServerCheck]:
    """The checks that the items of servers hold. Older items hold none."""
    for server in servers:
        for told in server.get("checks", ()):
            server_id = UUID(server["waveServerId"])
            yield ServerCheck(server_id=server_id, **columns(ServerCheck, told, _CHECK))
