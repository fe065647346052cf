"""Recovery's jobs. Each may run too often, or twice at once: leases and the journal decide."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from drportal import heartbeats
from drportal.jobs import Job, hint
from recovery.services import advance as engine
from recovery.services import (
    checking,
    clean_ups,
    deliveries,
    drill_occurrences,
    overdue_drills,
    preflights,
    reminders,
    retention,
)
from recovery.services import failback_runs as returning
from recovery.services import termination_runs as cleaning
from recovery.services import watch as watching

# A look that comes late is worth nothing: the next one is on its way. So a queue that workers
# cannot keep up with holds no more than this, and what has been due longest comes first.
_WORTH_SECONDS = 3
# A worker takes what has a lower number first. Whatever lets an execution go on goes before the
# polls of twenty places, of which each may take a while.
_POLLS = 6
# A channel that never stops answering is cut off, well before a lease on a delivery is over.
_NOTICES_SECONDS = 50
# A look that never ends is cut off, before its lease is over.
_CHECKS_SECONDS = 80


@shared_task(base=Job, name="recovery.tick")
def tick(**_: object) -> None:
    """Beat's heartbeat for the engine: ask for everything that is due."""
    now = timezone.now()
    for watch_id in watching.due(now):
        watch.apply_async(kwargs={"watch_id": watch_id}, expires=_WORTH_SECONDS, priority=_POLLS)
    for execution_id in engine.due(now):
        advance.apply_async(kwargs={"execution_id": str(execution_id)}, expires=_WORTH_SECONDS)
    for termination_id in cleaning.due(now):
        terminate.apply_async(
            kwargs={"termination_id": str(termination_id)}, expires=_WORTH_SECONDS
        )
    for failback_id in returning.due(now):
        fail_back.apply_async(kwargs={"failback_id": str(failback_id)}, expires=_WORTH_SECONDS)
    heartbeats.engine_looked()


@shared_task(base=Job, name="recovery.advance")
def advance(*, execution_id: str, **_: object) -> None:
    """Take one execution as far as it goes without waiting."""
    engine.advance(UUID(execution_id))


@shared_task(base=Job, name="recovery.watch")
def watch(*, watch_id: int, **_: object) -> None:
    """Poll one account and Region in which launch jobs live."""
    watching.poll(watch_id)


@shared_task(base=Job, name="recovery.send_notices", time_limit=_NOTICES_SECONDS)
def send_notices(**_: object) -> None:
    """Remind of closed gates, and tell whoever is to be told. Any number may run at once."""
    reminders.remind()
    deliveries.send_due()


@shared_task(base=Job, name="recovery.run_checks", time_limit=_CHECKS_SECONDS)
def run_checks(**_: object) -> None:
    """Look at launched servers, as their plans say. Any number may run at once."""
    checking.run_due()


@shared_task(base=Job, name="recovery.terminate")
def terminate(*, termination_id: str, **_: object) -> None:
    """Take one clean-up as far as it goes without waiting."""
    cleaning.carry_out(UUID(termination_id))


@shared_task(base=Job, name="recovery.fail_back")
def fail_back(*, failback_id: str, **_: object) -> None:
    """Take one failback as far as it goes without waiting."""
    returning.carry_out(UUID(failback_id))


@shared_task(base=Job, name="recovery.carry_out_preflight")
def carry_out_preflight(*, preflight_id: str, **_: object) -> None:
    """Look at everything that a start of one plan would rely on."""
    preflights.carry_out(UUID(preflight_id))


@shared_task(base=Job, name="recovery.ask_for_preflights")
def ask_for_preflights(**_: object) -> None:
    """Ask for what is due, and again for what a lost message or a dead worker left undone."""
    preflights.give_up_dead()
    for pk in preflights.unattended():
        hint("recovery.carry_out_preflight", preflight_id=str(pk))
    preflights.ask_for_due()


@shared_task(base=Job, name="recovery.forget_preflights")
def forget_preflights(**_: object) -> None:
    """Let go of preflights that are older than they are kept."""
    preflights.forget_old()


@shared_task(base=Job, name="recovery.start_due_drills")
def start_due_drills(**_: object) -> None:
    """Announce drills by schedule, and ask for a look at each that is near or due."""
    drill_occurrences.announce()
    for pk in drill_occurrences.due():
        hint("recovery.start_scheduled_drill", occurrence_id=str(pk))


@shared_task(base=Job, name="recovery.start_scheduled_drill")
def start_scheduled_drill(*, occurrence_id: str, **_: object) -> None:
    """Start one drill by schedule, if it is time and nothing is in the way."""
    drill_occurrences.carry_out(UUID(occurrence_id))


@shared_task(base=Job, name="recovery.clean_up_drills")
def clean_up_drills(**_: object) -> None:
    """Ask for a look at each clean-up of a drill that is near or due."""
    for pk in clean_ups.near():
        hint("recovery.clean_up_drill", clean_up_id=str(pk))


@shared_task(base=Job, name="recovery.clean_up_drill")
def clean_up_drill(*, clean_up_id: str, **_: object) -> None:
    """Warn of one clean-up of a drill, or ask for it, if it is time."""
    clean_ups.carry_out(UUID(clean_up_id))


@shared_task(base=Job, name="recovery.tell_of_overdue_drills")
def tell_of_overdue_drills(**_: object) -> None:
    """Tell of plans that were not drilled for longer than they say."""
    overdue_drills.tell()


@shared_task(base=Job, name="recovery.forget_executions")
def forget_executions(**_: object) -> None:
    """Let go of some executions that are older than they are kept."""
    retention.forget_old()
