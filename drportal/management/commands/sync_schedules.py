import json
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from audit.services import record
from drportal.actor import PORTAL
from drportal.api.schedules import SCHEDULES as OF_THE_API
from drportal.jobs import Schedule
from drportal.mirror.schedules import SCHEDULES as OF_THE_MIRROR
from drportal.mirror.services import mark
from protection.schedules import SCHEDULES as OF_PROTECTION
from recovery.schedules import SCHEDULES as OF_RECOVERY

SCHEDULES = (*OF_THE_MIRROR, *OF_THE_API, *OF_PROTECTION, *OF_RECOVERY)


class Command(BaseCommand):
    help = "Add the schedules that are missing. What a person has changed stays as it is."

    @transaction.atomic
    def handle(self, *_args: Any, **_options: Any) -> None:
        known = set(PeriodicTask.objects.values_list("name", flat=True))
        for schedule in SCHEDULES:
            if schedule.name not in known:
                self._add(schedule)
        PeriodicTasks.update_changed()

    def _add(self, schedule: Schedule) -> None:
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=schedule.every, period=IntervalSchedule.SECONDS
        )
        task = PeriodicTask.objects.create(
            name=schedule.name,
            task=schedule.task,
            interval=interval,
            queue=schedule.queue,
            expire_seconds=schedule.expires,
            kwargs=json.dumps({}),
        )
        record(
            "schedule.added",
            actor=PORTAL,
            subject=task,
            task=schedule.task,
            every_seconds=schedule.every,
        )
        mark("Schedules", task.name)
        self.stdout.write(f"{schedule.name}: every {schedule.every} s")
