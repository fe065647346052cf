"""How each state is to be read. What is not known is never green."""

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone, age, badge
from protection.choices import ExtensionState, Readiness, RegionStatus, SyncState
from protection.models import AccountRegion, SyncRun
from protection.rules.readiness import Verdict
from protection.selectors import INSTANCES_STALE_AFTER, STALE_AFTER

_REGION = {
    RegionStatus.ACTIVE: Tone.GOOD,
    RegionStatus.UNKNOWN: Tone.UNSURE,
    RegionStatus.NOT_INITIALIZED: Tone.PLAIN,
    RegionStatus.REGION_NOT_OPTED_IN: Tone.PLAIN,
    RegionStatus.REGION_NOT_ENABLED: Tone.PLAIN,
}
READINESS_TONES = {
    Readiness.READY: Tone.GOOD,
    Readiness.LAGGING: Tone.WAIT,
    Readiness.NOT_READY: Tone.BAD,
    Readiness.UNKNOWN: Tone.UNSURE,
}
_EXTENSION = {
    ExtensionState.FOUND: Tone.PLAIN,
    ExtensionState.EXTENDED: Tone.GOOD,
    ExtensionState.HELD_BACK: Tone.WAIT,
    ExtensionState.FAILED: Tone.BAD,
    ExtensionState.UNKNOWN: Tone.UNSURE,
}
_SYNC = {
    SyncState.RUNNING: Tone.BUSY,
    SyncState.COMPLETED: Tone.GOOD,
    SyncState.PARTIAL: Tone.UNSURE,
    SyncState.NOTHING: Tone.WAIT,
    SyncState.FAILED: Tone.BAD,
    SyncState.ABANDONED: Tone.BAD,
}


def region_badge(row: AccountRegion) -> SafeString:
    """What an account's Region last answered; what is too old to count is not green."""
    known = RegionStatus(row.status)
    if known == RegionStatus.ACTIVE and outdated(row):
        return badge(f"{known.label} when last listed", Tone.UNSURE)
    return badge(known.label, _REGION.get(known, Tone.BAD))


def outdated(row: AccountRegion | None) -> bool:
    """Whether what is known of an account's Region is too old to say how it is now."""
    return row is None or row.listed_at is None or timezone.now() - row.listed_at > STALE_AFTER


def readiness_badge(verdict: Verdict) -> SafeString:
    """Whether a server could be launched now."""
    return badge(verdict.readiness.label, READINESS_TONES[verdict.readiness], hint=verdict.reason)


def seen(row: AccountRegion | None) -> str:
    """When a server's Region was last listed, and that it does not answer if it does not."""
    if row is None:
        return age(None)
    listed = age(row.listed_at, stale_after=STALE_AFTER)
    if row.status == RegionStatus.ACTIVE:
        return listed
    return format_html("{}<br>{}", listed, region_badge(row))


def sync_badge(run: SyncRun) -> SafeString:
    """How a sync run stands."""
    known = SyncState(run.state)
    label = f"{known.label}, dry run" if run.dry_run else known.label
    return badge(label, _SYNC[known])


def instances_badge(row: AccountRegion | None) -> SafeString:
    """What an account's Region last answered about recovery instances."""
    if row is None or row.instances_listed_at is None:
        return badge("Never listed", Tone.UNSURE)
    known = RegionStatus(row.instance_status)
    if known == RegionStatus.ACTIVE:
        old = timezone.now() - row.instances_listed_at > INSTANCES_STALE_AFTER
        return badge("Active when last listed", Tone.UNSURE) if old else badge("Active", Tone.GOOD)
    return badge(known.label, _REGION.get(known, Tone.BAD))


def extension_badge(state: str, *, broken: bool = False, count: int | None = None) -> SafeString:
    """How a staging account's server stands, or how many do; a broken extension is not green."""
    known = ExtensionState(state)
    label = "Extended, but cut off" if broken else str(known.label)
    if count is not None:
        label = f"{count} {label[0].lower()}{label[1:]}"
    return badge(label, Tone.BAD if broken else _EXTENSION[known])
