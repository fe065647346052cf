"""What AWS said before a wave, on the page of its execution."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone, age, badge
from recovery.engine.preflight import TITLES, Check
from recovery.models import Wave
from recovery.services.steering import BEFORE_LAUNCH
from recovery.services.wave_preflights import kept, not_passed
from recovery.states import CheckOutcome

_TONES = {
    CheckOutcome.PASSED: Tone.GOOD,
    CheckOutcome.WARNING: Tone.WAIT,
    CheckOutcome.FAILED: Tone.BAD,
    CheckOutcome.UNKNOWN: Tone.UNSURE,
}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check that did not pass. `overridden`: it blocks, and somebody has overridden it."""

    title: str
    badge: SafeString
    found: str
    remedy: str
    overridden: bool


@dataclass(frozen=True, slots=True)
class PreflightLine:
    """The last look before a wave. `holds`: it keeps the wave from launching now."""

    badge: SafeString
    tone: Tone
    asked: str
    again: str
    holds: bool
    overridden: str
    checks: Sequence[CheckLine]


def preflight_line(wave: Wave) -> PreflightLine | None:
    """What the page says of the last look before a wave fetched with `selectors.whole`; None if
    there was none, and nothing is overridden.
    """
    row = kept(wave)
    if row is None:
        return None
    outcome = CheckOutcome(row.outcome) if row.outcome else None
    tone = _TONES[outcome] if outcome else Tone.PLAIN
    overridden = ""
    if row.overridden_at is not None:
        titles = ", ".join(TITLES.get(code, code) for code in row.overridden)
        overridden = f"{row.overridden_by} overrode {titles}: {row.override_reason}"
    return PreflightLine(
        badge=badge(outcome.label if outcome else "Not asked yet", tone),
        tone=tone,
        asked=age(row.asked_at, never="not yet"),
        again=f"{row.due_at:%H:%M:%S} UTC" if row.due_at else "",
        holds=bool(row.in_the_way) and wave.state in BEFORE_LAUNCH,
        overridden=overridden,
        checks=[check_line(check, overridden=row.overridden) for check in not_passed(row)],
    )


def check_line(check: Check, *, overridden: Sequence[str] = ()) -> CheckLine:
    """A check, as pages show it."""
    return CheckLine(
        title=TITLES.get(check.code, check.code),
        badge=badge(check.outcome.label, _TONES[check.outcome]),
        found=check.found,
        remedy=check.remedy,
        overridden=check.code in overridden,
    )
