"""The schedule: what beat sends, and how often."""

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from audit.services import record
from drportal.actor import Actor


@transaction.atomic
def change(task: PeriodicTask, *, enabled: bool, every: int | None, actor: Actor) -> PeriodicTask:
    """Switch a scheduled task on or off, and let it run each `every` seconds, None to leave that.

    Beat sees the change within seconds.
    """
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
    return task
