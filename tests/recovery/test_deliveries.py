"""Getting notices to people: once each, again after a failure, given up after a day."""

import logging
from datetime import timedelta

import pytest
import time_machine
from celery import current_app
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditRecord
from drportal.commandlines import ALL_QUEUES
from drportal.notify import mail as by_mail
from drportal.notify import service
from drportal.notify.message import ChannelFailed
from drportal.state import StaleState
from recovery import tasks
from recovery.engine import steps
from recovery.models import Delivery, Execution, Notice, NoticePreference, RecoveryPlan
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.schedules import SCHEDULES
from recovery.services import deliveries, notice_channels, reminders, waves
from recovery.services.events import note
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.factories.users import UserFactory, grant
from tests.notify.servers import webhook
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db(transaction=True)

OPS = "ops@example.com"
DAY = timedelta(days=1)
SECRET = "very-secret-path-7FQ"


@pytest.fixture(autouse=True)
def _mail(settings):
    settings.EMAIL_HOST = "mail.invalid"  # mail itself stays in Django's memory


@pytest.fixture
def plan() -> RecoveryPlan:
    return plan_of(name="Payments", notification_addresses=[OPS])


def asked(plan: RecoveryPlan) -> Execution:
    """An execution of the plan, whose request is to be told of."""
    execution = ExecutionFactory.create(plan=plan, plan_name=plan.name)
    with transaction.atomic():
        note(execution, "execution.requested", "Asked for.")
    return execution


def failing(monkeypatch, *errors: Exception) -> list[str]:
    """Mail fails so, once for each of `errors`, and works then. Returns who was tried."""
    tried: list[str] = []
    left = list(errors)
    original = by_mail.send

    def send(address, message):
        tried.append(address)
        if left:
            raise left.pop(0)
        original(address, message)

    monkeypatch.setattr(by_mail, "send", send)
    return tried


def told() -> list[str]:
    return sorted(message.to[0] for message in mail.outbox)


def test_each_recipient_gets_one_whoever_else_names_them(plan):
    RecoveryPlan.objects.update(notification_addresses=[OPS, "boss@example.com"])
    for email in ("OPS@example.com", "ann@example.com"):
        person = grant(UserFactory.create(email=email), PlanPermission.VIEW, on=plan)
        notice_channels.prefer(person, kinds=["REQUESTED"], actor=PERSON)
    asked(plan)
    deliveries.send_due()
    deliveries.send_due()
    assert told() == ["ann@example.com", "boss@example.com", OPS]
    assert set(Delivery.objects.values_list("state", "attempts")) == {("SENT", 1)}


def test_a_person_gets_what_they_chose_about_plans_that_they_may_see(plan):
    def person(email: str, *kinds: str, **fields):
        made = UserFactory.create(email=email, **fields)
        NoticePreference.objects.create(person=made, kinds=list(kinds))
        return made

    grant(person("sees@x.example", "REQUESTED"), PlanPermission.VIEW, on=plan)
    grant(person("sees-all@x.example", "REQUESTED"), ExecutionPermission.VIEW)
    grant(person("other-kind@x.example", "ENDED"), PlanPermission.VIEW, on=plan)
    grant(person("other-plan@x.example", "REQUESTED"), PlanPermission.VIEW, on=plan_of())
    person("nothing@x.example", "REQUESTED")
    grant(person("gone@x.example", "REQUESTED", is_active=False), PlanPermission.VIEW, on=plan)
    grant(person("", "REQUESTED"), PlanPermission.VIEW, on=plan)
    asked(plan)
    deliveries.send_due()
    assert told() == [OPS, "sees-all@x.example", "sees@x.example"]


def test_whoever_loses_sight_of_the_plan_before_it_is_sent_gets_nothing(plan):
    person = grant(UserFactory.create(email="ann@x.example"), PlanPermission.VIEW, on=plan)
    notice_channels.prefer(person, kinds=["REQUESTED"], actor=PERSON)
    asked(plan)
    deliveries.address_new()
    plan.recoveryplanuserpermission_set.all().delete()
    deliveries.send_due()
    assert told() == [OPS]
    found = Delivery.objects.get(person=person)
    assert (found.state, found.last_error) == (
        "DROPPED",
        "This person may no longer see the plan.",
    )


def test_an_event_that_two_workers_write_is_told_once(plan):
    execution = ExecutionFactory.create(plan=plan)
    other = Execution.objects.get(pk=execution.pk)
    waves.carry_out(execution, steps.Begin())
    with pytest.raises(StaleState):
        waves.carry_out(other, steps.Begin())
    deliveries.send_due()
    assert told() == [OPS]


def test_going_on_after_a_gate_is_no_second_start(plan):
    execution = ExecutionFactory.create(plan=plan)
    for step in (steps.Begin(), steps.Pause(), steps.GoOn()):
        waves.carry_out(execution, step)
    assert list(Notice.objects.values_list("kind", flat=True)) == ["STARTED"]


def test_addressing_twice_makes_no_second_delivery(plan):
    asked(plan)
    deliveries.address_new()
    Notice.objects.update(addressed_at=None)
    deliveries.address_new()
    assert Delivery.objects.count() == 1


def test_a_failure_is_tried_again_with_growing_waits(plan, monkeypatch):
    gone = ChannelFailed("The mail server cannot be reached.", away=True)
    failing(monkeypatch, gone, gone, gone)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked(plan)
        waits = []
        for _ in range(3):
            deliveries.send_due()
            found = Delivery.objects.get()
            assert (found.state, found.last_error) == ("FAILED", gone.detail)
            waits.append((found.due_at - timezone.now()).total_seconds())
            clock.move_to(found.due_at - timedelta(seconds=1))
            assert deliveries.send_due() == 0, "not yet due"
            clock.move_to(found.due_at)
        deliveries.send_due()
    assert waits == [30, 60, 120]
    assert deliveries.wait_after(100) == timedelta(hours=1)
    found.refresh_from_db()
    assert (found.state, found.attempts, found.last_error) == ("SENT", 4, "")
    assert told() == [OPS]


def test_after_a_day_it_is_given_up_for_all_to_see(plan, monkeypatch):
    tried = failing(monkeypatch, *[ChannelFailed("No mail server.", away=True)] * 100)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked(plan)
        deliveries.send_due()
        made = timezone.now()
        while (found := Delivery.objects.get()).state == "FAILED":
            clock.move_to(found.due_at)
            deliveries.send_due()
        assert DAY <= timezone.now() - made <= DAY + timedelta(hours=1)
    assert (found.state, found.last_error) == ("GIVEN_UP", "No mail server.")
    assert len(tried) == found.attempts > 20
    kept = AuditRecord.objects.get(event="recovery.notice.given_up")
    assert (kept.outcome, kept.facts["attempts"]) == ("FAILED", found.attempts)
    with time_machine.travel(timezone.now() + 2 * DAY, tick=False):
        assert deliveries.send_due() == 0


def test_what_no_worker_came_to_within_a_day_is_not_sent_as_news(plan):
    asked(plan)
    deliveries.address_new()
    with time_machine.travel(timezone.now() + DAY, tick=False):
        deliveries.send_due()
    found = Delivery.objects.get()
    assert (found.state, found.last_error) == ("GIVEN_UP", "No worker came to it within a day.")
    assert mail.outbox == []


def test_while_the_way_is_broken_one_delivery_tries_it(plan, monkeypatch):
    RecoveryPlan.objects.update(notification_addresses=[f"{n}@x.example" for n in range(5)])
    tried = failing(monkeypatch, *[ChannelFailed("Broken.", away=True)] * 2)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked(plan)
        deliveries.send_due()
        assert len(tried) == 1
        assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, 0, 0, 1]
        clock.shift(30)
        deliveries.send_due()
        assert len(tried) == 2
        clock.shift(90)
        deliveries.send_due()
    assert len(told()) == 5


def test_one_address_that_is_refused_keeps_no_other_back(plan, monkeypatch):
    RecoveryPlan.objects.update(notification_addresses=["a@x.example", "b@x.example"])
    failing(monkeypatch, ChannelFailed("The mail server refuses this address (550)."))
    asked(plan)
    deliveries.send_due()
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["FAILED", "SENT"]


class Killed(BaseException):
    """As if the worker's process had ended."""


@pytest.mark.parametrize(
    ("point", "arrived"), [("notices.leased", 1), ("notices.sent", 2)], ids=["before", "after"]
)
def test_a_worker_that_dies_loses_nothing_and_after_sending_repeats(plan, point, arrived):
    checkpoints = logging.getLogger("drportal.checkpoint")

    class Kills(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            if record.getMessage() == point:
                raise Killed
            return True

    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked(plan)
        kills, before = Kills(), checkpoints.level
        checkpoints.addFilter(kills)
        checkpoints.setLevel(logging.DEBUG)
        try:
            with pytest.raises(Killed):
                deliveries.send_due()
        finally:
            checkpoints.removeFilter(kills)
            checkpoints.setLevel(before)
        assert deliveries.send_due() == 0, "it is still leased"
        assert "with no outcome yet" in Delivery.objects.get().last_error
        clock.shift(deliveries.LEASE)
        assert deliveries.send_due() == 1
    assert told() == [OPS] * arrived
    # By these a reader's mail program knows that it is the same one.
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 1
    found = Delivery.objects.get()
    assert (found.state, found.attempts) == ("SENT", 2)


def test_two_workers_share_no_lane_and_a_channel_that_hangs_holds_up_no_other(plan):
    RecoveryPlan.objects.update(notification_addresses=["a@x.example", "b@x.example"])
    asked(plan)
    deliveries.address_new()
    first = deliveries._take()
    assert first is not None
    assert deliveries._take() is None, "somebody is sending mail already"
    with webhook() as hook:
        notice_channels.add(
            plan=plan,
            name="Room",
            medium="SERVICE",
            address=f"{hook.url}/{SECRET}",
            kinds=["REQUESTED"],
            actor=PERSON,
        )
        execution = Execution.objects.get()
        with transaction.atomic():
            note(execution, "execution.requested", "Once more.")
        assert deliveries.send_due() == 1
    assert [body["title"] for _, body in hook.posts] == ["[DRILL] Payments: requested"]
    assert mail.outbox == []


def test_the_engine_does_not_wait_for_a_channel_that_hangs(plan, monkeypatch):
    with webhook() as hook:
        hook.silent = True
        monkeypatch.setattr(service, "ANSWER_SECONDS", 0.5)
        notice_channels.add(
            plan=plan,
            name="Room",
            medium="SERVICE",
            address=f"{hook.url}/{SECRET}",
            kinds=["REQUESTED", "STARTED"],
            actor=PERSON,
        )
        RecoveryPlan.objects.update(notification_addresses=[])
        execution = asked(plan)
        original = service.send
        seen = []

        def send(address, message):
            # What the engine does while the sender is under way; nothing of it is locked.
            waves.carry_out(execution, steps.Begin())
            seen.append(connection.in_atomic_block)
            original(address, message)

        monkeypatch.setattr(service, "send", send)
        deliveries.send_due()
    execution.refresh_from_db()
    assert execution.state == "RUNNING"
    assert seen == [False]
    found = Delivery.objects.get(notice__kind="REQUESTED")
    assert found.state == "FAILED"
    assert SECRET not in found.last_error + found.shown


def test_one_notice_that_cannot_be_addressed_keeps_no_other_back(plan, monkeypatch, caplog):
    asked(plan)
    bad = Notice.objects.get()
    asked(plan_of(name="Other", notification_addresses=[OPS]))
    original = deliveries._recipients

    def recipients(notice):
        if notice.pk == bad.pk:
            raise LookupError("as the test says")
        return original(notice)

    monkeypatch.setattr(deliveries, "_recipients", recipients)
    deliveries.send_due()
    assert [message.subject for message in mail.outbox] == ["[DRILL] Other: requested"]
    assert "could not be addressed" in caplog.text
    bad.refresh_from_db()
    assert bad.addressed_at is None
    assert bad.due_at > timezone.now()


def test_beat_asks_for_it_on_a_queue_of_its_own_that_a_worker_serves():
    [schedule] = [each for each in SCHEDULES if each.task == tasks.send_notices.name]
    assert schedule.queue == "notices"
    assert schedule.every < schedule.expires < deliveries.LEASE.total_seconds()
    assert schedule.queue in ALL_QUEUES.split(",")
    routed = current_app.amqp.router.route({}, tasks.send_notices.name)
    assert routed["queue"].name == "notices", "whoever asks for it"


def test_the_task_sends_and_reminds(plan, monkeypatch):
    reminded = []
    monkeypatch.setattr(reminders, "remind", lambda: reminded.append(True))
    asked(plan)
    tasks.send_notices()
    assert told() == [OPS]
    assert reminded == [True]
    assert (tasks.send_notices.time_limit or 999) < deliveries.LEASE.total_seconds()
