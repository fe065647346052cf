"""Beat's schedule: people switch its tasks and set their pace."""

from typing import Any

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from audit.services import record
from drportal.actor import Actor
from drportal.errors import InvalidInput
from drportal.mirror.services import mark

TAG_SYNC = "protection.sync_tags"
HOUR = 3600
_WHOLE_HOURS = {TAG_SYNC: (1, 24)}


@transaction.atomic
def change(task: Any, *, enabled: bool, every: int | None, actor: Actor) -> Any:
    """Switch a scheduled task on or off, and let it run each `every` seconds, None to leave that.

    Beat sees the change within seconds. Raises InvalidInput for a pace that the task cannot have.
    """
    _must_fit(task.task, every)
    task = PeriodicTask.objects.select_for_update(of=("self",)).get(pk=task.pk)
    before = {"enabled": task.enabled, "schedule": str(task.schedule)}
    task.enabled = enabled
    if every is not None:
        task.interval, _ = IntervalSchedule.objects.get_or_create(
            every=every, period=IntervalSchedule.SECONDS
        )
    task.save()
    after = {"enabled": task.enabled, "schedule": str(task.schedule)}
    record("beat.schedule.edited", actor=actor, subject=task, task=task.task, old=before, new=after)
    mark("Schedules", task.name)
    return task


def _must_fit(task: str, every: int | None) -> None:
    least, most = _WHOLE_HOURS.get(task, (0, 0))
    if every is None or not least:
        return
    if every % HOUR or not least <= every // HOUR <= most:
        message = f"This runs every {least} to {most} whole hours of {HOUR} seconds."
        raise InvalidInput.field("every", "out_of_range", message)
