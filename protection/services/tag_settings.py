"""How the tag sync works: which accounts and tags it takes, and how often beat sends it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import InvalidInput
from drportal.mirror.services import mark
from protection.choices import SyncKind
from protection.errors import ScheduleMissing, SyncAlreadyRunning, TagSyncSettingsChanged
from protection.models import TagSyncSettings
from protection.rules.tag_sync import LONGEST
from protection.selectors import schedule_of, seconds_between
from protection.services import schedules, sync_runs

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_MOST = 200  # entries of a list
_LISTS = ("include_accounts", "exclude_accounts", "include_keys", "exclude_keys")
EDITABLE = frozenset({*_LISTS, "key_mapping", "dry_run"})

Complaint = dict[str, str]


@dataclass(frozen=True, slots=True)
class Saved:
    """The settings as they are now, and whether a worker was asked for a sync."""

    settings: TagSyncSettings
    sync_triggered: bool


def save(
    *, version: int, enabled: bool, interval_hours: int | None, actor: Actor, **changes: Any
) -> Saved:
    """Save the settings and beat's pace; settings that are not named stay. Saved enabled, a
    worker is asked for a sync, unless one is running.

    `version` is that of the settings one has seen. Raises TagSyncSettingsChanged, InvalidInput,
    and ScheduleMissing if beat has no schedule to switch on.
    """
    must_be_valid(**changes)
    with transaction.atomic():
        TagSyncSettings.objects.get_or_create(pk=1)
        settings = TagSyncSettings.objects.select_for_update().get(pk=1)
        if settings.version != version:
            raise TagSyncSettingsChanged(given=version, current=settings.version)
        _change(settings, changes, actor)
        _schedule(enabled=enabled, hours=interval_hours, actor=actor)
        return Saved(settings, enabled and _triggered(actor))


def change(changes: Mapping[str, Any], *, actor: Actor) -> TagSyncSettings:
    """Save settings whatever version they are at, and leave beat's pace. Raises InvalidInput."""
    must_be_valid(**changes)
    with transaction.atomic():
        TagSyncSettings.objects.get_or_create(pk=1)
        settings = TagSyncSettings.objects.select_for_update().get(pk=1)
        _change(settings, dict(changes), actor)
        return settings


def _change(settings: TagSyncSettings, changes: dict[str, Any], actor: Actor) -> None:
    old = {name: getattr(settings, name) for name in changes}
    new = {name: value for name, value in changes.items() if old[name] != value}
    settings.version += 1
    settings.updated_at = timezone.now()
    for name, value in new.items():
        setattr(settings, name, value)
    settings.save()
    mark("TagSyncSettings", settings.pk)
    record(
        "protection.tag_sync_settings.edited",
        actor=actor,
        subject=settings,
        old={name: old[name] for name in new},
        new=new,
    )


def _schedule(*, enabled: bool, hours: int | None, actor: Actor) -> None:
    schedule = schedule_of(schedules.TAG_SYNC)
    if schedule is None:
        if enabled:
            raise ScheduleMissing(schedules.TAG_SYNC)
        return
    now = seconds_between(schedule)
    every = now if hours is None else hours * schedules.HOUR
    if (schedule.enabled, now) != (enabled, every):
        try:
            schedules.change(schedule, enabled=enabled, every=every, actor=actor)
        except InvalidInput as error:
            message = error.errors[0]["message"]
            raise InvalidInput.field("interval_hours", "out_of_range", message) from error


def _triggered(actor: Actor) -> bool:
    try:
        sync_runs.ask(SyncKind.TAGS, actor=actor)
    except SyncAlreadyRunning:
        return False
    return True


def must_be_valid(**changes: Any) -> None:
    """Raises InvalidInput that names each setting that cannot be."""
    unknown = changes.keys() - EDITABLE
    if unknown:
        raise InvalidInput.field(min(unknown), "unknown", "There is no such setting.")
    errors = [
        *_of_accounts(changes),
        *_of_keys(changes),
        *_of_mapping(changes.get("key_mapping", {})),
    ]
    if errors:
        raise InvalidInput("The settings are not valid.", errors=errors)


def _of_accounts(changes: dict[str, Any]) -> Iterator[Complaint]:
    for name in ("include_accounts", "exclude_accounts"):
        wrong = [each for each in changes.get(name, ()) if not _ACCOUNT_ID.fullmatch(each)]
        yield from _complaints(name, changes.get(name, ()), wrong, "An account id has 12 digits")


def _of_keys(changes: dict[str, Any]) -> Iterator[Complaint]:
    for name in ("include_keys", "exclude_keys"):
        wrong = [each for each in changes.get(name, ()) if not 1 <= len(each) <= LONGEST]
        words = f"A pattern has 1 to {LONGEST} characters"
        yield from _complaints(name, changes.get(name, ()), wrong, words)


def _of_mapping(mapping: dict[str, str]) -> Iterator[Complaint]:
    wrong = [
        f"{key}={name}"
        for key, name in mapping.items()
        if not 1 <= len(key) <= LONGEST or not 1 <= len(name) <= LONGEST
    ]
    words = f"A key has 1 to {LONGEST} characters"
    yield from _complaints("key_mapping", mapping, wrong, words)
    reserved = [each for each in (*mapping, *mapping.values()) if each.lower().startswith("aws:")]
    yield from _complaints("key_mapping", (), reserved, "AWS keeps keys that begin so to itself")
    names = list(mapping.values())
    twice = sorted({name for name in names if names.count(name) > 1})
    yield from _complaints("key_mapping", (), twice, "Two keys cannot become the same")


def _complaints(
    field: str, given: Iterable[str], wrong: Iterable[str], words: str
) -> Iterator[Complaint]:
    if len(list(given)) > _MOST:
        yield {"field": field, "code": "too_many", "message": f"At most {_MOST} can be given."}
    for each in wrong:
        yield {"field": field, "code": "invalid", "message": f"{words}: {each!r}."}
