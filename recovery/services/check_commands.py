"""Checks by a Systems Manager document: a command is sent once, and found again.

SendCommand has no token either. So the intent is committed before AWS is asked, and carries the
number of the command; the command's comment has the check's id and that number. After an answer
that was lost, or a worker that died, the command is looked for by its comment. If it is not there
once AWS has had time to list it, nobody can tell whether it ran: it is sent again only if the plan
says that running twice does no harm.
"""

import re
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.aws.ssm import Invocation, Ssm
from drportal.mirror.services import mark
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from recovery.engine.checks import Finding, Found
from recovery.models import ServerCheck
from recovery.services.pace import settle_time
from recovery.states import ServerCheckState

_SOON: Final = timedelta(seconds=2)
_SKEW: Final = timedelta(minutes=5)


@reaches_outside
def look(check: ServerCheck, scope: Scope) -> Finding:
    """Send the command of a check, or see what became of it. Raises AwsError."""
    ssm, instance = Ssm(scope), check.server.recovery_instance_id
    if check.command_id:
        return _outcome(ssm.invocation(check.command_id, instance))
    if check.intended_at is not None:
        return _settle(check, ssm, instance)
    # A restored check may not know of a command that was sent after the mirror heard of it.
    if check.server.execution.restored_at and (found := _find(check, ssm, instance)):
        return found
    if not ssm.online(instance):
        return Finding(Found.NOT_YET, "The Systems Manager agent of the instance is not online.")
    return _send(check, ssm, instance)


def comment_of(check: ServerCheck) -> str:
    """What the command of a check is called in Systems Manager."""
    return f"{_prefix(check)}{check.sends}"


def _prefix(check: ServerCheck) -> str:
    return f"drportal check {check.pk} command "


def _send(check: ServerCheck, ssm: Ssm, instance: str) -> Finding:
    _intend(check)
    checkpoint("check.intended", check_id=str(check.pk))
    said = check.definition
    left = (check.deadline_at - timezone.now()).total_seconds()
    try:
        command_id = ssm.send(
            instance,
            said["document"],
            said["parameters"],
            comment=comment_of(check),
            timeout=int(left),
        )
    except AwsError as error:
        if error.ambiguous:
            told = f"It is not known whether the command was sent; it is looked for: {error.detail}"
            return Finding(Found.NOT_YET, told, soon=_SOON)
        # Certainly not sent, so nothing is to be looked for.
        _save(check, intended_at=None)
        raise
    checkpoint("check.sent", check_id=str(check.pk))
    _save(check, command_id=command_id)
    return Finding(Found.NOT_YET, f"Command {command_id} was sent.", soon=_SOON)


@transaction.atomic
def _intend(check: ServerCheck) -> None:
    """Write that the next command is about to be sent. What is committed here outlives us."""
    check.sends += 1
    _save(check, sends=check.sends, intended_at=timezone.now(), command_id="")
    mark("WaveStatus", check.server.wave_id)


@transaction.atomic
def _save(check: ServerCheck, **changes: object) -> None:
    rows = ServerCheck.objects.filter(
        pk=check.pk, lease_token=check.lease_token, state=ServerCheckState.WAITING
    )
    if not rows.update(**changes):
        raise LeaseGone
    for name, value in changes.items():
        setattr(check, name, value)


class LeaseGone(Exception):
    """Somebody else has the check, or has ended it; nothing is to be sent for it."""


def _settle(check: ServerCheck, ssm: Ssm, instance: str) -> Finding:
    if found := _find(check, ssm, instance):
        return found
    intended = check.intended_at or check.started_at
    if timezone.now() - intended < settle_time():
        return Finding(Found.NOT_YET, "It is not known whether the command was sent.", soon=_SOON)
    if check.definition["repeatable"]:
        return Finding(Found.UNREACHABLE, "The command was lost, and may be sent again.")
    told = "It is not known whether its command ran, and the plan does not say that it may twice."
    return Finding(Found.LOST, told)


def _find(check: ServerCheck, ssm: Ssm, instance: str) -> Finding | None:
    """Adopt the command that was intended, or one after it: a restored check knows an older one."""
    first = check.sends + (0 if check.intended_at else 1)
    pattern = re.compile(rf"{re.escape(_prefix(check))}(\d+)")
    since = (check.server.started_at or check.started_at) - _SKEW
    found = {
        int(match[1]): command.command_id
        for command in ssm.commands(instance, since=since)
        if (match := pattern.fullmatch(command.comment)) and int(match[1]) >= first
    }
    if not found:
        return None
    newest = max(found)
    known = {"command_id": found[newest], "sends": newest}
    _save(check, intended_at=check.intended_at or timezone.now(), **known)
    return Finding(Found.NOT_YET, f"Command {found[newest]} was found again.", soon=_SOON)


def _outcome(found: Invocation | None) -> Finding:
    if found is None:
        return Finding(Found.NOT_YET, "Systems Manager does not list the command yet.", soon=_SOON)
    if found.under_way:
        return Finding(Found.NOT_YET, f"The command is {found.status}.", soon=_SOON)
    said = f": {found.output}" if found.output else "."
    if found.succeeded:
        return Finding(Found.PASSED, "The command succeeded.")
    return Finding(Found.FAILED, f"The command ended as {found.status}, code {found.code}{said}")
