"""Recovery's jobs. Each may run too often, or twice at once: leases and the journal decide."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from drportal import heartbeats
from drportal.jobs import Job, hint
from recovery.services import advance as engine
from recovery.services import deliveries, preflights, reminders
from recovery.services import termination_runs as cleaning
from recovery.services import watch as watching

# A look that comes late is worth nothing: the next one is on its way. So a queue that workers
# cannot keep up with holds no more than this, and what has been due longest comes first.
_WORTH_SECONDS = 3
# A channel that never stops answering is cut off, well before a lease on a delivery is over.
_NOTICES_SECONDS = 50


@shared_task(base=Job, name="recovery.tick")
def tick(**_: object) -> None:
    """Beat's heartbeat for the engine: ask for everything that is due."""
    now = timezone.now()
    for watch_id in watching.due(now):
        watch.apply_async(kwargs={"watch_id": watch_id}, expires=_WORTH_SECONDS)
    for execution_id in engine.due(now):
        advance.apply_async(kwargs={"execution_id": str(execution_id)}, expires=_WORTH_SECONDS)
    for termination_id in cleaning.due(now):
        terminate.apply_async(
            kwargs={"termination_id": str(termination_id)}, expires=_WORTH_SECONDS
        )
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


@shared_task(base=Job, name="recovery.terminate")
def terminate(*, termination_id: str, **_: object) -> None:
    """Take one clean-up as far as it goes without waiting."""
    cleaning.carry_out(UUID(termination_id))


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
