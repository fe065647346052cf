"""What people are told of, and in which words."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from drportal.simulator.faults import Fault
from drportal.simulator.faults import Kind as FaultKind
from drportal.simulator.world import world
from recovery.errors import ConfirmationNeeded, PlanAlreadyRunning
from recovery.models import Delivery, Execution, Notice, RecoveryPlan
from recovery.services import (
    deliveries,
    executions,
    notice_words,
    notices,
    reminders,
    retries,
    steering,
)
from recovery.services.events import note
from recovery.states import ExecutionState, Kind
from tests.factories.recovery import ExecutionFactory, PreflightFactory, WaveFactory, plan_of
from tests.worlds import (
    PERSON,
    drill,
    group_of,
    known,
    registered,
    server,
    wave,
    world_of,
)
from tests.worlds import plan_of as plan_in_world

pytestmark = pytest.mark.django_db(transaction=True)

OPS = "ops@example.com"


@pytest.fixture(autouse=True)
def _mail(settings):
    settings.EMAIL_HOST = "mail.invalid"  # mail itself stays in Django's memory
    settings.PUBLIC_URL = "https://dr.example.com"


@pytest.fixture
def plan(aws):
    world_of([*(server(f"db-{n}") for n in (1, 2)), server("web-1")])
    registered()
    made = plan_in_world(
        wave("Databases", group_of("db")),
        wave("Web", group_of("web"), depends_on=(1,), gate=True, gate_instructions="Look first."),
        name="Payments",
    )
    RecoveryPlan.objects.filter(pk=made.pk).update(notification_addresses=[OPS])
    made.refresh_from_db()
    return made


def subjects() -> list[str]:
    """The subjects of what has been sent since this was last asked."""
    deliveries.send_due()
    found = [str(message.subject) for message in mail.outbox]
    mail.outbox.clear()
    return found


def paused(found: Execution) -> bool:
    return found.state == ExecutionState.PAUSED


def test_a_drill_is_told_from_its_request_to_its_end_and_called_a_drill(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=paused)
    executions.resume(execution, comment="Looked.", actor=PERSON)
    driver.run(execution)
    deliveries.send_due()
    assert [message.subject for message in mail.outbox] == [
        "[DRILL] Payments: requested",
        "[DRILL] Payments: started",
        "[DRILL] Payments: wave 1 (Databases) completed",
        "[DRILL] Payments: gate before wave 2 (Web) opened",
        "[DRILL] Payments: wave 2 (Web) completed",
        "[DRILL] Payments: ended: completed",
    ], "the gate no longer waits: nobody is told that it does"
    for message in mail.outbox:
        assert message.to == [OPS]
        assert message.body.splitlines()[0] == "This is about a DRILL."
        assert "RECOVERY" not in f"{message.subject} {message.body}"
        assert f"/admin/recovery/execution/{execution.pk}/change/" in message.body
        assert "https://dr.example.com/" in message.body
        assert "UTC" in message.body


def test_a_recovery_is_called_one_in_subject_and_first_line(plan, driver):
    PreflightFactory.create(plan=plan)
    executions.start(plan, kind=Kind.RECOVERY, confirmation=plan.name, actor=PERSON)
    assert subjects() == ["[RECOVERY] Payments: requested"]
    notice = Notice.objects.get()
    words = notice_words.message_of(notice, key="k")
    assert words.body.splitlines()[0] == "This is about a REAL RECOVERY."


def test_who_is_waited_for_is_told_while_it_waits_with_wave_numbers_from_1(plan, driver):
    driver.run(drill(plan), until=paused)
    deliveries.send_due()
    [found] = [message for message in mail.outbox if "waits" in message.subject]
    assert found.subject == "[DRILL] Payments: waits for a person before wave 2 (Web)"
    assert "Wave 2 (Web) waits at its gate: Look first." in found.body
    assert "Wave: 2 of 2 (Web)" in found.body
    assert "What is waited for: " in found.body
    assert "may open gates" in found.body


def test_a_wave_that_fails_and_what_that_blocks_are_told(plan, driver):
    world.faults.add(Fault(FaultKind.LAUNCH_FAIL, server=known("db-1").server_id))
    world.faults.add(Fault(FaultKind.LAUNCH_FAIL, server=known("db-2").server_id))
    driver.run(drill(plan))
    assert subjects()[2:] == [
        "[DRILL] Payments: wave 1 (Databases): failed",
        "[DRILL] Payments: wave 2 (Web): blocked",
        "[DRILL] Payments: ended: failed",
    ]


def test_a_wave_that_is_partial_is_told_as_that(plan, driver):
    world.faults.add(Fault(FaultKind.LAUNCH_FAIL, server=known("db-1").server_id))
    driver.run(drill(plan))
    found = subjects()
    assert "[DRILL] Payments: wave 1 (Databases): partial" in found
    assert found[-1] == "[DRILL] Payments: ended: partial"


def test_a_wave_that_times_out_is_told(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    execution.waves.filter(position=1).update(deadline_at=timezone.now())
    driver.run(execution)
    assert "[DRILL] Payments: wave 1 (Databases): timed out" in subjects()


def test_cancelling_is_told_when_it_is_asked_for_and_when_it_is_done(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    executions.cancel(execution, reason="Wrong plan.", actor=PERSON)
    driver.run(execution)
    found = subjects()
    assert "[DRILL] Payments: cancelling was requested" in found
    assert found[-1] == "[DRILL] Payments: ended: cancelled"


def test_a_start_that_is_refused_is_told_once_and_as_nothing_else(plan, settings):
    drill(plan)
    assert subjects() == ["[DRILL] Payments: requested"]
    for _ in range(3):
        with pytest.raises(PlanAlreadyRunning):
            executions.start(plan, kind=Kind.RECOVERY, confirmation=plan.name, actor=PERSON)
    deliveries.send_due()
    [told] = mail.outbox
    assert told.subject == "[RECOVERY] Payments: start refused"
    assert "pat asked for it. Payments is being carried out already" in told.body
    assert "Nothing was started." in told.body


def test_a_name_typed_wrong_is_nobodys_news(plan):
    with pytest.raises(ConfirmationNeeded):
        executions.start(plan, kind=Kind.RECOVERY, confirmation="Paiments", actor=PERSON)
    assert subjects() == []


def test_one_address_on_two_plans_is_told_of_both(aws):
    for name in ("One", "Two"):
        plan = plan_of(name=name, notification_addresses=[OPS])
        execution = ExecutionFactory.create(plan=plan, plan_name=name)
        with transaction.atomic():
            note(execution, "execution.requested", "Asked for.")
    assert subjects() == ["[DRILL] One: requested", "[DRILL] Two: requested"]


def test_an_address_that_is_removed_is_told_nothing_more(aws):
    plan = plan_of(name="One", notification_addresses=[OPS])
    execution = ExecutionFactory.create(plan=plan)
    RecoveryPlan.objects.filter(pk=plan.pk).update(notification_addresses=[])
    with transaction.atomic():
        note(execution, "execution.requested", "Asked for.")
    assert subjects() == []


def test_what_is_rolled_back_is_told_to_nobody(aws):
    execution = ExecutionFactory.create(plan=plan_of(notification_addresses=[OPS]))
    with transaction.atomic():
        note(execution, "execution.requested", "Asked for.")
        assert Notice.objects.exists()
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert subjects() == []


@pytest.mark.parametrize("broken", ["_write", "_write_of"])
def test_a_notice_that_cannot_be_written_holds_up_nothing(
    plan, driver, monkeypatch, caplog, broken
):
    def breaks(*_: object) -> None:
        Notice.objects.create(key="x", kind="x" * 1000)

    monkeypatch.setattr(notices, broken, breaks)
    execution = drill(plan)
    driver.run(execution, until=paused)
    executions.resume(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert execution.events.filter(kind="execution.ended").exists()
    assert not Notice.objects.exists()
    assert "No notice of event" in caplog.text


def test_words_that_look_like_secrets_are_masked_and_odd_ones_survive(aws):
    odd = "Ünïcode {wave} {0} % <b> \N{ROCKET}"
    execution = ExecutionFactory.create(
        plan=plan_of(name=odd, notification_addresses=[OPS]), plan_name=odd, reason="password=hush1"
    )
    with transaction.atomic():
        note(execution, "execution.requested", "Opened: token=abcdef123456 " + "x" * 1900)
    deliveries.send_due()
    [message] = mail.outbox
    assert message.subject == f"[DRILL] {odd}: requested"
    assert "<b>" in message.body
    assert "hush1" not in message.body
    assert "abcdef123456" not in message.body


def a_gate(**fields):
    execution = ExecutionFactory.create(
        plan=plan_of(name="Gated", owner="Owner@example.com"),
        plan_name="Gated",
        state=ExecutionState.PAUSED,
    )
    return WaveFactory.create(execution=execution, state="WAITING", gate=True, **fields)


def test_a_gate_that_stays_closed_is_told_of_again_and_then_to_the_owner(settings):
    settings.NOTICE_REMINDER_MINUTES, settings.NOTICE_ESCALATION_MINUTES = 30, 60
    waiting = a_gate(gate_reached_at=timezone.now() - timedelta(minutes=31))
    RecoveryPlan.objects.update(notification_addresses=[OPS])
    for _ in range(3):
        reminders.remind()
    deliveries.send_due()
    [told] = mail.outbox
    assert told.to == [OPS]
    assert told.subject == "[DRILL] Gated: reminder 1: waits for a person before wave 1 (wave 1)"
    assert "Waits since: " in told.body
    mail.outbox.clear()

    type(waiting).objects.update(gate_reached_at=timezone.now() - timedelta(minutes=95))
    reminders.remind()
    deliveries.send_due()
    assert sorted(message.to[0] for message in mail.outbox) == ["Owner@example.com", OPS]
    assert all("reminder 3" in message.subject for message in mail.outbox), (
        "2 was missed: told once"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"gate_opened_at": timezone.now()},
        {"state": "LAUNCHING"},
        {"gate_reached_at": None},
    ],
)
def test_nobody_is_reminded_of_a_gate_that_does_not_wait(changes):
    waiting = a_gate(gate_reached_at=timezone.now() - timedelta(hours=2))
    type(waiting).objects.update(**changes)
    reminders.remind()
    assert not Notice.objects.exists()


def test_a_reminder_that_comes_late_is_dropped_with_the_reason(settings):
    waiting = a_gate(gate_reached_at=timezone.now() - timedelta(hours=2))
    reminders.remind()
    deliveries.address_new()
    type(waiting).objects.update(gate_opened_at=timezone.now())
    deliveries.send_due()
    assert mail.outbox == []
    found = Delivery.objects.get()
    assert (found.state, found.last_error) == ("DROPPED", "The gate no longer waits.")


def test_a_pause_its_end_and_another_try_are_told(plan, driver):
    world.faults.add(Fault(FaultKind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    execution = drill(plan)
    steering.pause(execution, reason="Look first", actor=PERSON)
    subjects()
    assert not subjects()
    steering.lift_pause(execution, actor=PERSON)
    assert subjects() == ["[DRILL] Payments: goes on"]
    driver.run(execution)
    subjects()
    retries.retry(execution, position=1, actor=PERSON)
    assert subjects() == ["[DRILL] Payments: wave 1 (Databases) is launched again"]


def test_who_can_let_a_paused_execution_go_on_is_told(plan):
    steering.pause(drill(plan), reason="Look first", actor=PERSON)
    deliveries.send_due()
    [found] = [message for message in mail.outbox if "paused" in message.subject]
    assert "Look first" in found.body
    assert "lifts the pause" in found.body
