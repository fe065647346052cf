"""Deliveries: who gets a notice, and getting it there. At least once, for a day.

The engine writes notices and goes on; all of this happens in workers of a queue of its own. A
delivery is leased before it is sent and marked after: a worker that dies in between leaves one
that is sent again, so a notice may arrive twice, and is never lost without a word.
"""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record_failure
from drportal.actor import PORTAL
from drportal.notify import mail, service, topic
from drportal.notify.message import ChannelFailed, Message
from drportal.observability import checkpoint
from drportal.state import StaleState, move
from drportal.transactions import reaches_outside
from recovery.engine import gates
from recovery.models import Delivery, GateDecision, Notice, NoticeChannel, NoticePreference
from recovery.models.notices import DELIVERY, DeliveryState, Medium
from recovery.selectors import executions_for, plans_for
from recovery.services import approval_links, approval_terms, notice_words
from recovery.services.gate_people import eligible, told_on_escalation
from recovery.services.notices import APPROVAL, ESCALATED, WAITING
from recovery.states import EXECUTION, WaveState

logger = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(days=1)
# Longer than any send can take: the task that sends is ended before.
LEASE = timedelta(seconds=60)
_SHORTEST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
# While a way is broken, it is tried this often, by one delivery.
_AWAY = timedelta(seconds=30)
_ADDRESS_AGAIN = timedelta(minutes=5)
_MOST = 200
_LONGEST_ERROR = 500
# One worker at a time looks for what to take, so that no two take from one lane.
_TAKE_LOCK = 0x6E6F74696365


@reaches_outside
def send_due(*, within: timedelta = timedelta(seconds=10)) -> int:
    """Address what is new, then send what is due until nothing is or the time is up. Returns how
    many were sent. Any number of these may run at once.
    """
    ends = time.monotonic() + within.total_seconds()
    address_new()
    give_up_old()
    sent = 0
    while time.monotonic() < ends and (delivery := _take()):
        checkpoint("notices.leased", delivery_id=str(delivery.pk))
        try:
            sent += _deliver(delivery)
        except StaleState as race:
            logger.info("%s", race.detail)
    return sent


def address_new() -> None:
    """Make the deliveries of every new notice: one for each recipient."""
    new = Notice.objects.filter(addressed_at=None, due_at__lte=timezone.now())
    for pk in new.order_by("due_at", "id").values_list("pk", flat=True)[:_MOST]:
        try:
            _address(pk)
        except Exception:
            # One that cannot be addressed must not keep the others back.
            logger.exception("Notice %s could not be addressed", pk)
            Notice.objects.filter(pk=pk).update(due_at=timezone.now() + _ADDRESS_AGAIN)


def give_up_old() -> None:
    """Give up, for all to see, what could not be delivered within a day."""
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    old = Delivery.objects.filter(
        free, state__in=sorted(DELIVERY.active), created_at__lte=now - GIVE_UP_AFTER
    )
    for delivery in old.select_related("notice")[:_MOST]:
        try:
            _give_up(delivery)
        except StaleState as race:
            logger.info("%s", race.detail)


def wait_after(attempts: int) -> timedelta:
    """How long a delivery waits after so many attempts: 30 s, 1 min, 2 min ... 1 h."""
    doubled: timedelta = _SHORTEST_WAIT * 2 ** min(max(attempts - 1, 0), 10)
    return min(doubled, _LONGEST_WAIT)


def _address(pk: int) -> None:
    with transaction.atomic():
        rows = Notice.objects.select_for_update(skip_locked=True)
        notice = rows.filter(pk=pk, addressed_at=None).first()
        if notice is None:
            return
        by_target = {delivery.target: delivery for delivery in _recipients(notice)}
        Delivery.objects.bulk_create(by_target.values(), ignore_conflicts=True)
        notice.addressed_at = timezone.now()
        notice.save(update_fields=["addressed_at"])


def _recipients(notice: Notice) -> Iterator[Delivery]:
    """In the order in which a later one of the same target takes the place of an earlier one."""
    wanting = NoticePreference.objects.filter(kinds__contains=[notice.kind])
    for preference in wanting.select_related("person"):
        person = preference.person
        if person.email and person.is_active and _may_see(person, notice):
            # Their own address may be the plan's too; then it is the plan that tells them.
            yield _mail(notice, person.email, person=person)
    plan = notice.plan
    if plan is not None:
        for address in plan.notification_addresses:
            yield _mail(notice, address)
        if _escalated(notice) and _is_address(plan.owner):
            yield _mail(notice, plan.owner.strip())
    yield from _escalated_to(notice)
    for person in _asked(notice):
        yield _mail(notice, person.email, person=person)
    told = Q(plan=None) | Q(plan=plan) if plan is not None else Q(plan=None)
    for channel in NoticeChannel.objects.filter(
        told, active=True, kinds__contains=[notice.kind]
    ).order_by("name", "id"):
        yield to_channel(notice, channel)


def _asked(notice: Notice) -> Iterator[User]:
    """The people whom a notice asks to decide something, whether or not they want notices."""
    if notice.kind == APPROVAL and notice.execution is not None:
        yield from approval_terms.approvers(notice.execution).exclude(email="")
    rule = gates.of_dict(notice.wave.gate_rule) if notice.wave is not None else None
    if notice.kind == WAITING and rule is not None:
        decided = GateDecision.objects.filter(wave=notice.wave).values("person")
        there = User.objects.filter(pk__in=eligible(rule)).exclude(email="")
        yield from there.exclude(username__in=decided)


def _escalated_to(notice: Notice) -> Iterator[Delivery]:
    """Whom the gate's own rule names, when it has waited for too long."""
    rule = gates.of_dict(notice.wave.gate_rule) if notice.wave is not None else None
    if notice.kind == ESCALATED and rule is not None:
        for address, person in told_on_escalation(rule).items():
            yield _mail(notice, address, person=person)


def to_channel(notice: Notice, channel: NoticeChannel) -> Delivery:
    """The delivery of a notice to a channel, not saved."""
    return Delivery(
        notice=notice,
        medium=channel.medium,
        channel=channel,
        target=f"channel:{channel.pk}",
        shown=f"{channel.name}: {channel.masked}",
    )


def _mail(notice: Notice, address: str, *, person: User | None = None) -> Delivery:
    return Delivery(
        notice=notice,
        medium=Medium.MAIL,
        person=person,
        target=f"mail:{address.lower()}",
        address=address,
        shown=address,
    )


def _may_see(person: User, notice: Notice) -> bool:
    if notice.execution_id:
        return executions_for(person).filter(pk=notice.execution_id).exists()
    return notice.plan_id is not None and plans_for(person).filter(pk=notice.plan_id).exists()


def _escalated(notice: Notice) -> bool:
    """Whether a gate has been closed for so long that the plan's owner is told."""
    if not notice.number or notice.wave is None or notice.wave.gate_reached_at is None:
        return False
    waited = notice.at - notice.wave.gate_reached_at
    return waited >= timedelta(minutes=settings.NOTICE_ESCALATION_MINUTES)


def _is_address(text: str) -> bool:
    try:
        validate_email(text.strip())
    except ValidationError:
        return False
    return len(text.strip()) <= 254  # noqa: PLR2004  # the column's length


def _take() -> Delivery | None:
    """Lease the delivery that is longest due, of a lane that nobody else is in.

    A lane is a channel, or all mail: so a channel that hangs occupies one worker, whatever waits
    for it. What was begun counts, so that a delivery that kills its worker waits longer each time.
    """
    now = timezone.now()
    open_ones = Delivery.objects.filter(state__in=sorted(DELIVERY.active))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TAKE_LOCK])
        due = open_ones.filter(due_at__lte=now)
        for medium, channel in set(
            open_ones.filter(leased_until__gt=now).values_list("medium", "channel_id")
        ):
            due = due.exclude(medium=medium, channel_id=channel)
        found = due.order_by("due_at", "id").select_related("notice", "channel", "person").first()
        if found is None:
            return None
        found.attempts += 1
        found.leased_until = now + LEASE
        found.due_at = now + max(LEASE, wait_after(found.attempts))
        # What stays if the worker dies, or is ended because a channel never stops answering.
        found.last_error = f"Begun at {now:%H:%M:%S} UTC, with no outcome yet."
        found.save(update_fields=["attempts", "leased_until", "due_at", "last_error"])
    return found


def _deliver(delivery: Delivery) -> bool:
    """Send a delivery that is leased, and write down what became of it."""
    idle = _not_wanted(delivery)
    if idle:
        _end(delivery, DeliveryState.DROPPED, last_error=idle)
        return False
    token = approval_links.make(delivery) if settings.PUBLIC_URL else None
    message = notice_words.message_of(delivery.notice, key=str(delivery.pk), token=token)
    try:
        _send(delivery, message)
    except ChannelFailed as error:
        _failed(delivery, error)
        return False
    checkpoint("notices.sent", delivery_id=str(delivery.pk))
    _end(delivery, DeliveryState.SENT, last_error="")
    return True


def _send(delivery: Delivery, message: Message) -> None:
    if delivery.medium == Medium.MAIL:
        mail.send(delivery.address, message)
        return
    channel = delivery.channel
    if channel is None or not channel.address:
        raise ChannelFailed(
            "The channel's address was lost in a restore: enter it again.", away=True
        )
    if delivery.medium == Medium.TOPIC:
        topic.send(channel.address, message)
    else:
        service.send(channel.address, message)


def _not_wanted(delivery: Delivery) -> str:
    """Why a delivery is no longer to be sent, if so."""
    notice, person = delivery.notice, delivery.person
    execution = notice.execution
    if notice.kind in {WAITING, ESCALATED} and not _still_waits(notice):
        return "The gate no longer waits."
    if notice.kind == APPROVAL and not (execution and approval_terms.awaits(execution)):
        return "It no longer waits for an approval."
    if person is not None and not (person.is_active and _may_see(person, notice)):
        return "This person may no longer see the plan."
    if delivery.medium != Medium.MAIL and delivery.channel is None:
        return "The channel was removed."
    if delivery.channel is not None and not delivery.channel.active:
        return "The channel is switched off."
    return ""


def _still_waits(notice: Notice) -> bool:
    wave, execution = notice.wave, notice.execution
    return (
        wave is not None
        and execution is not None
        and wave.state == WaveState.WAITING
        and wave.gate_opened_at is None
        and execution.state in EXECUTION.active
        and execution.cancel_requested_at is None
    )


def _failed(delivery: Delivery, error: ChannelFailed) -> None:
    now = timezone.now()
    told = error.detail[:_LONGEST_ERROR]
    if now - delivery.created_at >= GIVE_UP_AFTER:
        delivery.last_error = told
        _give_up(delivery)
        return
    if error.away:
        # Nothing else would get through there now: so it waits, and its attempts are not used up.
        Delivery.objects.filter(
            state__in=sorted(DELIVERY.active),
            medium=delivery.medium,
            channel=delivery.channel,
            due_at__lte=now + _AWAY,
        ).exclude(pk=delivery.pk).update(due_at=now + _AWAY)
    move(
        delivery,
        DeliveryState.FAILED,
        lifecycle=DELIVERY,
        last_error=told,
        leased_until=None,
        due_at=now + wait_after(delivery.attempts),
    )


def _give_up(delivery: Delivery) -> None:
    told = delivery.last_error or "No worker came to it within a day."
    with transaction.atomic():
        _end(delivery, DeliveryState.GIVEN_UP, last_error=told)
        record_failure(
            "recovery.notice.given_up",
            actor=PORTAL,
            subject=delivery,
            plan=delivery.notice.plan_name,
            notice=delivery.notice.kind,
            attempts=delivery.attempts,
            last_error=told,
        )


def _end(delivery: Delivery, state: DeliveryState, *, last_error: str) -> None:
    move(
        delivery,
        state,
        lifecycle=DELIVERY,
        last_error=last_error,
        leased_until=None,
        ended_at=timezone.now(),
    )
