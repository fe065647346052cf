"""Bringing in how the tag sync works, and the schedule."""

from django_celery_beat.models import PeriodicTask

from drportal.errors import InvalidInput
from drportal.jobs import OUR_TASKS
from protection.services import schedules, tag_settings
from recovery import configuration
from recovery.services.transfer.outcome import Fate
from recovery.services.transfer.part import Part


def tag_sync(part: Part) -> Fate:
    """Set how the tag sync works."""
    left = part.leave(configuration.tag_sync())
    if left is not None:
        return left
    tag_settings.change(part.entry, actor=part.actor)
    return Fate.UPDATED


def schedule(part: Part) -> Fate:
    """Switch a scheduled task and set its pace. What is not scheduled here is refused by name."""
    entry = part.entry
    task = PeriodicTask.objects.filter(name=entry["name"], task__regex=OUR_TASKS).first()
    if task is None:
        told = f"This portal schedules nothing by the name {entry['name']!r}."
        raise InvalidInput.field("name", "UNKNOWN_SCHEDULE", told)
    told_now = next((each for each in configuration.schedules() if each["name"] == task.name), None)
    left = part.leave(told_now)
    if left is not None:
        return left
    schedules.change(task, enabled=entry["enabled"], every=entry["every_seconds"], actor=part.actor)
    return Fate.UPDATED
