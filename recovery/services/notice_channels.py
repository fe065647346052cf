"""Who is told: the channels of plans, and what each person wants to be told of."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.aws import sns
from drportal.errors import InvalidInput
from drportal.mirror.services import mark
from drportal.notify import service
from recovery.errors import ChannelNameTaken
from recovery.models import Delivery, Notice, NoticeChannel, NoticePreference, RecoveryPlan
from recovery.models.notices import Medium
from recovery.services import deliveries
from recovery.services.notices import KINDS, TEST

_LONGEST_NAME, _LONGEST_ADDRESS = 64, 1000


def add(
    *,
    plan: RecoveryPlan | None,
    name: str,
    medium: str,
    address: str,
    kinds: Sequence[str],
    actor: Actor,
) -> NoticeChannel:
    """Add a channel of a plan, or of all plans. Raises InvalidInput and ChannelNameTaken."""
    channel = NoticeChannel(plan=plan, medium=medium)
    said = {"name": name, "address": address, "kinds": kinds, "active": True}
    return _save(channel, said, new=True, actor=actor)


def edit(
    channel: NoticeChannel,
    *,
    name: str,
    kinds: Sequence[str],
    active: bool,
    address: str = "",
    actor: Actor,
) -> NoticeChannel:
    """Change a channel. Without an `address` it keeps its own. Raises what `add` raises."""
    with transaction.atomic():
        channel = NoticeChannel.objects.select_for_update(of=("self",)).get(pk=channel.pk)
        said = {"name": name, "address": address, "kinds": kinds, "active": active}
        return _save(channel, said, new=False, actor=actor)


def remove(channel: NoticeChannel, *, actor: Actor) -> None:
    """Remove a channel. What waits for it is dropped, and stays in the delivery log."""
    with transaction.atomic():
        record("recovery.notice_channel.removed", actor=actor, subject=channel, **_facts(channel))
        mark("NoticeChannels", channel.pk)
        channel.delete()


def test(channel: NoticeChannel, *, actor: Actor) -> Delivery:
    """Ask that a test message be sent. The delivery log tells what became of it."""
    with transaction.atomic():
        notice = Notice.objects.create(
            key=f"test:{uuid.uuid4()}",
            kind=TEST,
            plan=channel.plan,
            plan_name=channel.plan.name if channel.plan else "",
            message=f"{actor.name} asked for this test of the channel {channel.name}.",
            addressed_at=timezone.now(),
        )
        delivery = deliveries.to_channel(notice, channel)
        delivery.save(force_insert=True)
        record("recovery.notice_channel.tested", actor=actor, subject=channel, **_facts(channel))
    return delivery


def prefer(person: User, *, kinds: Sequence[str], actor: Actor) -> NoticePreference:
    """Set which kinds of notices a person gets by mail. Raises InvalidInput."""
    complaints = list(_kind_complaints(kinds))
    if kinds and not person.email:
        message = "There is no e-mail address of this person to send to."
        complaints.append({"field": "kinds", "code": "no_address", "message": message})
    if complaints:
        raise InvalidInput("This cannot be chosen.", errors=complaints)
    with transaction.atomic():
        before = NoticePreference.objects.select_for_update().filter(pk=person.pk).first()
        wanted = sorted(set(kinds))
        preference, _ = NoticePreference.objects.update_or_create(
            person=person, defaults={"kinds": wanted, "updated_at": timezone.now()}
        )
        record(
            "recovery.notice_preference.set",
            actor=actor,
            subject=preference,
            old=before.kinds if before else [],
            new=wanted,
        )
    return preference


def _save(
    channel: NoticeChannel, said: Mapping[str, Any], *, new: bool, actor: Actor
) -> NoticeChannel:
    before = {} if new else _facts(channel)
    name, address, kinds = said["name"].strip(), said["address"].strip(), said["kinds"]
    complaints = [*_name_complaints(name), *_kind_complaints(kinds)]
    if address or new:
        channel.masked = _masked(channel.medium, address, complaints)
        channel.address, channel.address_lost = address, False
    if complaints:
        raise InvalidInput("The channel is not valid.", errors=complaints)
    channel.name, channel.kinds, channel.active = name, sorted(set(kinds)), said["active"]
    channel.updated_at = timezone.now()
    try:
        with transaction.atomic():
            channel.save()
            record(
                f"recovery.notice_channel.{'added' if new else 'edited'}",
                actor=actor,
                subject=channel,
                old=before,
                new=_facts(channel),
                address_changed=bool(address),
            )
            mark("NoticeChannels", channel.pk)
    except IntegrityError as error:
        if "recovery_channel_name_is_unique" in str(error):
            raise ChannelNameTaken(name) from error
        raise
    return channel


def _masked(medium: str, address: str, complaints: list[dict[str, str]]) -> str:
    """What may be shown of an address. Adds to `complaints` what is wrong with it."""
    if len(address) > _LONGEST_ADDRESS:
        message = f"At most {_LONGEST_ADDRESS} characters."
        complaints.append({"field": "address", "code": "too_long", "message": message})
    elif medium == Medium.TOPIC:
        if sns.is_topic(address):
            return address
        message = "This is no ARN of an SNS topic: arn:aws:sns:REGION:ACCOUNT:NAME."
        complaints.append({"field": "address", "code": "invalid", "message": message})
    elif medium == Medium.SERVICE:
        try:
            return service.masked(address)
        except InvalidInput as error:
            complaints.extend(error.errors)
    else:
        message = "A channel is a topic or a service; mail addresses are the plan's."
        complaints.append({"field": "medium", "code": "invalid", "message": message})
    return ""


def _name_complaints(name: str) -> Iterable[dict[str, str]]:
    if not 1 <= len(name) <= _LONGEST_NAME:
        message = f"A name has 1 to {_LONGEST_NAME} characters."
        yield {"field": "name", "code": "invalid", "message": message}


def _kind_complaints(kinds: Sequence[str]) -> Iterable[dict[str, str]]:
    for kind in sorted(set(kinds) - set(KINDS)):
        message = f"There is no kind of notice {kind!r}."
        yield {"field": "kinds", "code": "unknown", "message": message}


def _facts(channel: NoticeChannel) -> dict[str, object]:
    """What the record may know of a channel."""
    return {
        "plan": channel.plan.name if channel.plan else "all plans",
        "name": channel.name,
        "medium": str(channel.medium),
        "to": channel.masked,
        "kinds": list(channel.kinds),
        "active": channel.active,
    }
