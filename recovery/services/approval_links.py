"""Links by which people are asked to approve: for one person, one thing, once, for a day at most.

The token is made when the mail is sent, and only its hash is kept: nobody who reads the database,
a log, the record or the delivery log can use a link. Whoever has the link still has to log in as
the person that it is for, and needs the permission.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from drportal.actor import Actor
from recovery.engine import gates as rules
from recovery.errors import LinkIsOver
from recovery.models import ApprovalLink, Delivery, Execution, Notice, Wave
from recovery.models.notices import Medium
from recovery.services import approvals, gates
from recovery.services.approval_terms import approvers, awaits
from recovery.services.gate_people import eligible
from recovery.services.notices import APPROVAL, WAITING
from recovery.states import EXECUTION, WaveState

_UNKNOWN = "This link is not known. It may have been cut off in the mail."


@dataclass(frozen=True, slots=True)
class Token:
    """What goes into a mail, and nowhere else."""

    text: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "Token()"


def make(delivery: Delivery) -> Token | None:
    """A new token for the person whom a delivery asks to decide; None if it asks nobody."""
    person, notice = delivery.person, delivery.notice
    execution = notice.execution
    if person is None or execution is None or delivery.medium != Medium.MAIL:
        return None
    if not _asks(notice, execution, person):
        return None
    text = secrets.token_urlsafe(32)
    link = ApprovalLink.objects.create(
        token_hash=_hash(text),
        person=person,
        execution=execution,
        wave=notice.wave if notice.kind == WAITING else None,
        expires_at=timezone.now() + timedelta(hours=settings.APPROVAL_LINK_HOURS),
    )
    return Token(text, link.expires_at)


def known(text: str) -> UUID | None:
    """Which link a token is of, if it is one's."""
    found: UUID | None = (
        ApprovalLink.objects.filter(token_hash=_hash(text)).values_list("pk", flat=True).first()
    )
    return found


def usable(pk: str, *, actor: Actor) -> ApprovalLink:
    """The link, if it is `actor`'s and still leads somewhere. Changes nothing. Raises LinkIsOver
    and says why; of what is another person's it says no more than that.
    """
    rows = ApprovalLink.objects.select_related("execution__plan", "wave", "person")
    link = rows.filter(pk=pk).first() if pk else None
    if link is None:
        raise LinkIsOver(_UNKNOWN)
    if link.person_id != actor.user_id:
        raise LinkIsOver("This link is for somebody else. Log in as the person who got it.")
    trouble = _trouble(link)
    if trouble:
        raise LinkIsOver(trouble)
    return link


def approve(link: ApprovalLink, *, comment: str = "", actor: Actor) -> None:
    """Approve what the link is for, and use it up. Raises LinkIsOver, and what `approvals.approve`
    or `gates.approve` raises; then it is not used up.
    """
    with transaction.atomic():
        link = usable(str(link.pk), actor=actor)
        fresh = ApprovalLink.objects.filter(pk=link.pk, used_at=None)
        if not fresh.update(used_at=timezone.now()):
            raise LinkIsOver("This link was used already.")
        if link.wave is None:
            approvals.approve(link.execution, comment=comment, actor=actor)
        else:
            position = link.wave.position
            gates.approve(link.execution, position=position, comment=comment, actor=actor)


def _asks(notice: Notice, execution: Execution, person: User) -> bool:
    """Whether a notice asks `person`, of all who get it, to decide."""
    if notice.kind == APPROVAL:
        return approvers(execution).filter(pk=person.pk).exists()
    rule = rules.of_dict(notice.wave.gate_rule) if notice.wave is not None else None
    return notice.kind == WAITING and rule is not None and person.pk in eligible(rule)


def _trouble(link: ApprovalLink) -> str:
    """Why a link leads nowhere, if so."""
    execution, wave = link.execution, link.wave
    if link.used_at is not None:
        return f"This link was used {link.used_at:%Y-%m-%d %H:%M} UTC."
    if link.expires_at <= timezone.now():
        return f"This link was good until {link.expires_at:%Y-%m-%d %H:%M} UTC."
    if execution.state in EXECUTION.terminal:
        return f"The {execution} has ended ({execution.get_state_display().lower()})."
    if execution.cancel_requested_at is not None:
        return f"The {execution} is being cancelled, as {execution.cancel_requested_by} asked."
    if wave is not None:
        return _trouble_at_gate(link, wave)
    if execution.approved_at is not None:
        return f"The {execution} has been approved by {execution.approved_by}."
    return "" if awaits(execution) else f"The {execution} does not wait for an approval any more."


def _trouble_at_gate(link: ApprovalLink, wave: Wave) -> str:
    if wave.gate_opened_at is not None:
        return f"The gate before {wave} is open: {wave.gate_opened_by}."
    if wave.state != WaveState.WAITING:
        return f"The {wave} does not wait at its gate any more."
    if wave.decisions.filter(person=link.person.get_username()).exists():
        return f"You have decided about the gate before {wave} already."
    return ""


def _hash(text: str) -> str:
    # A random token of 256 bits: nothing to be guessed, so nothing that a slow hash would slow.
    return hashlib.sha256(text.encode()).hexdigest()
