"""Asking AWS anew before each wave; see docs/adr/0017.

Asked by the worker that carries the execution out, under its lease: one that dies is followed by
one that asks again. What was found is in the wave's row, and what lets the wave launch is worth a
short time only.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import PORTAL
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from protection.choices import LaunchStatus
from recovery.choices import LaunchSettingsPolicy
from recovery.engine import schedule
from recovery.engine import wave_preflight as engine
from recovery.engine.preflight import (
    BLOCKING,
    Check,
    digest_of,
    in_the_way,
    of_dict,
    outcome_of,
    worst_first,
)
from recovery.engine.preflight_facts import NOT_KNOWN, Facts
from recovery.engine.preflight_rules import checks_of_wave
from recovery.engine.wave_preflight import Look, Seen
from recovery.models import Execution, Wave, WavePreflight
from recovery.services import wave_settings, waves
from recovery.services.events import note
from recovery.services.leases import Lease
from recovery.services.wave_facts import Known, facts_of, known_of, places, waiting
from recovery.states import CheckOutcome, WaveState

_BEFORE_LAUNCH: Final = (WaveState.PENDING, WaveState.WAITING)
# How soon AWS is asked again by itself after something was in the way; longer each time.
_FASTEST: Final = timedelta(seconds=4)
_SLOWEST: Final = timedelta(seconds=60)


def kept(wave: Wave) -> WavePreflight | None:
    """The row of the last look at a wave, or None. Asks nothing if it has been fetched."""
    return getattr(wave, "preflight", None)


def look_of(execution: Execution, wave: Wave, now: datetime) -> Look:
    """How a wave that has not launched stands with AWS. Asks nothing if all has been fetched."""
    if not execution.preflight_before_waves or wave.state not in _BEFORE_LAUNCH:
        return Look.GO
    row = kept(wave)
    return engine.standing(
        None if row is None else _seen(row, wave, now),
        since=(wave.gate_opened_at, wave.wait_until, execution.pause_lifted_at),
        now=now,
        worth=timedelta(seconds=settings.WAVE_PREFLIGHT_WORTH_SECONDS),
    )


def due(execution: Execution, wave: Wave) -> datetime | None:
    """When AWS is asked again before a wave that something keeps from launching."""
    row = kept(wave) if execution.preflight_before_waves else None
    return row.due_at if row is not None and row.in_the_way else None


@reaches_outside
def ask(execution: Execution, position: int, lease: Lease) -> None:
    """Ask AWS about the servers that a wave would launch, and write down what it says.

    Failures of AWS end in the checks. Raises LeaseLost, and StaleState if the wave has started.
    """
    wave = next(each for each in execution.waves.all() if each.position == position)
    began = timezone.now()
    known = known_of(wave)
    policy = execution.launch_settings_policy
    anyway = policy == LaunchSettingsPolicy.LAUNCH_ANYWAY
    found = facts_of(known, alive=lease.must_be_held)
    if policy == LaunchSettingsPolicy.APPLY:
        lease.must_be_held()
        found = _applied(execution, known, found)
    checks = list(engine.at_a_wave(checks_of_wave(found), launch_anyway=anyway))
    checkpoint("wave.asked", execution_id=str(execution.pk))
    lease.must_be_held()
    digest = digest_of(places(known.servers, position))
    _write(wave, checks, began=began, digest=digest, applying=_applying(found))
    checkpoint("wave.asked_and_written", execution_id=str(execution.pk))


def _applied(execution: Execution, known: Known, found: Facts) -> Facts:
    """What was found, after launch settings that differ were asked to be applied."""
    standing = wave_settings.apply_what_differs(execution, known.servers, found)
    return replace(
        found,
        servers=tuple(
            replace(server, settings=now.settings, settings_message=now.message) if now else server
            for server in found.servers
            for now in [standing.get((server.account_id, server.region, server.server_id))]
        ),
    )


def _seen(row: WavePreflight, wave: Wave, now: datetime) -> Seen | None:
    if row.asked_at is None or row.looked_at is None:
        return None
    return Seen(
        asked_at=row.asked_at,
        looked_at=row.looked_at,
        same=row.digest == digest_of(places(waiting(wave), wave.position)),
        held=bool(row.in_the_way),
        due=row.due_at is None or row.due_at <= now,
    )


@transaction.atomic
def _write(
    wave: Wave, checks: list[Check], *, began: datetime, digest: str, applying: bool
) -> None:
    """Keep what was found. What is no news is kept too, and not told again."""
    if not Wave.objects.select_for_update().filter(pk=wave.pk, state__in=_BEFORE_LAUNCH).exists():
        return
    row, _ = WavePreflight.objects.select_for_update().get_or_create(wave=wave)
    before = row.in_the_way
    told_before = engine.what_blocks(checks_of(row))
    row.asked_at, row.looked_at = began, timezone.now()
    row.outcome, row.digest = outcome_of(checks), digest
    row.checks = [check.as_dict() for check in checks]
    row.blocking = engine.blocking(checks)
    held = bool(row.in_the_way)
    row.refusals = row.refusals + 1 if held else 0
    row.due_at = row.looked_at + _again_after(row.refusals) if held else None
    row.save()
    if held and applying and _only_settings(row, checks):
        row.due_at = row.looked_at + _FASTEST
        row.save(update_fields=["due_at"])
        if told_before != engine.what_blocks(checks):
            said = f"{waves.title(wave)} launches once launch settings are applied and read back."
            note(wave.execution, "wave.launch_settings_applied", said, wave=wave)
    elif held and told_before != engine.what_blocks(checks):
        _tell_held(wave, row, checks)
    elif before and not held:
        said = f"{waves.title(wave)}: AWS says no more that anything is in the way of its launch."
        note(wave.execution, "wave.preflight_passed", said, wave=wave)
        _record(wave, row, good=True)
    _tell_settings(wave, checks)


def _applying(found: Facts) -> bool:
    """Whether launch settings are being applied, and none of them is not to be known."""
    words = {server.settings for server in found.servers}
    return LaunchStatus.SYNCING in words and NOT_KNOWN not in words


def _only_settings(row: WavePreflight, checks: list[Check]) -> bool:
    """Whether nothing keeps it from launching but what is not known of its launch settings."""
    left = [check for check in checks if check.code in row.in_the_way]
    blocks = [check for check in left if check.outcome in BLOCKING]
    return all((check.code, check.outcome) == engine.BEING_APPLIED for check in blocks)


def _tell_held(wave: Wave, row: WavePreflight, checks: list[Check]) -> None:
    left = [check for check in checks if check.code in row.in_the_way]
    said = (
        f"{waves.title(wave)} does not launch, and AWS is asked again by itself: {in_the_way(left)}"
    )
    note(wave.execution, "wave.preflight_blocks", said, wave=wave)
    _record(wave, row, good=False)


def _tell_settings(wave: Wave, checks: list[Check]) -> None:
    """Say once per finding that servers are launched with other settings than were set."""
    for check in checks:
        if check.remedy == engine.LAUNCHED_ANYWAY:
            said = f"{waves.title(wave)} is launched all the same, as the plan says: {check.found}"
            if not wave.execution.events.filter(message=said[:2000]).exists():
                note(wave.execution, "wave.launch_settings_differ", said, wave=wave)


def _record(wave: Wave, row: WavePreflight, *, good: bool) -> None:
    write: Any = record if good else record_failure
    write(
        "recovery.wave_preflight.passed" if good else "recovery.wave_preflight.blocks",
        actor=PORTAL,
        subject=wave.execution,
        wave=str(wave),
        outcome=str(row.outcome),
        checks=sorted(row.in_the_way) or sorted(row.overridden),
    )


def checks_of(row: WavePreflight) -> list[Check]:
    """What was found, as checks."""
    return [of_dict(each) for each in row.checks]


def not_passed(row: WavePreflight) -> list[Check]:
    """What was found and is not as it must be, what blocks first."""
    found = [check for check in checks_of(row) if check.outcome != CheckOutcome.PASSED]
    return worst_first(found)


def _again_after(refusals: int) -> timedelta:
    return schedule.retry_after(refusals, fastest=_FASTEST, slowest=_SLOWEST, asked_for=None)
