"""Whether what AWS told before a wave lets it launch now, or AWS is to be asked (again). Pure."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from recovery.engine.preflight import BLOCKING, Check
from recovery.states import CheckOutcome

# What launch jobs wait in line for by themselves does not keep their wave from launching.
_WAITS_IN_LINE: Final = ("held", CheckOutcome.FAILED)
_LAUNCH_SETTINGS: Final = "launch_settings"
BEING_APPLIED: Final = (_LAUNCH_SETTINGS, CheckOutcome.UNKNOWN)
_DRIFTED: Final = (_LAUNCH_SETTINGS, CheckOutcome.FAILED)
LAUNCHED_ANYWAY: Final = "The plan says that it is launched all the same."


class Look(StrEnum):
    """How a wave that could launch stands with AWS."""

    ASK = "ASK"  # nobody has looked, or what was seen is too old, or it is time to look again
    GO = "GO"  # nothing is in the way, or the plan does not want anybody to look
    HELD = "HELD"  # something is, until the next look


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look. `held`: something blocks that nobody has overridden. `due`: it is time to look
    again. `same` says that it was of just the servers that the wave would launch now.
    """

    asked_at: datetime
    looked_at: datetime
    same: bool
    held: bool
    due: bool


def standing(
    seen: Seen | None, *, since: Collection[datetime | None], now: datetime, worth: timedelta
) -> Look:
    """How a wave stands by the last look at it.

    `since` are the moments at which something let it start: what was asked before is of another
    time, for a gate may have been shut for weeks. What lets it launch is worth so long.
    """
    if seen is None or not seen.same:
        return Look.ASK
    if any(moment is not None and seen.asked_at < moment for moment in since):
        return Look.ASK
    if seen.held:
        return Look.ASK if seen.due else Look.HELD
    return Look.GO if now - seen.looked_at <= worth else Look.ASK


def at_a_wave(checks: Iterable[Check], *, launch_anyway: bool) -> Iterator[Check]:
    """The checks of a preflight as they count before a wave.

    A server in somebody else's DRS job waits in line, as it does for a quota. With
    `launch_anyway`, launch settings that DRS does not hold are said, and do not block.
    """
    for check in checks:
        if (check.code, check.outcome) == _WAITS_IN_LINE:
            remedy = "Its launch waits until that has ended."
            yield replace(check, outcome=CheckOutcome.WARNING, remedy=remedy)
        elif launch_anyway and (check.code, check.outcome) == _DRIFTED:
            yield replace(check, outcome=CheckOutcome.WARNING, remedy=LAUNCHED_ANYWAY)
        else:
            yield check


def blocking(checks: Iterable[Check]) -> list[str]:
    """The codes of the checks that keep a wave from launching."""
    return sorted({check.code for check in checks if check.outcome in BLOCKING})


def what_blocks(checks: Iterable[Check]) -> frozenset[tuple[Any, ...]]:
    """Equal while the same checks block for the same servers, whatever words AWS has for it: they
    may name a request, or a session.
    """
    return frozenset(
        (check.code, check.outcome, check.group, check.account_id, check.region, check.server_ids)
        for check in checks
        if check.outcome in BLOCKING
    )


def overridden_at_the_start(
    checks: Iterable[Check], places: Iterable[tuple[int, str, str]]
) -> dict[int, frozenset[str]]:
    """What whoever started despite a preflight has overridden, for each wave by its position.

    `places` are (wave, account id, Region) of the servers. A check of a wave counts for that, one
    of an account and Region for every wave there, and one of the plan for all.
    """
    found: dict[int, set[str]] = {wave: set() for wave, _, _ in places}
    for check in checks:
        if check.outcome not in BLOCKING:
            continue
        for wave, account_id, region in places:
            there = not check.account_id or (check.account_id, check.region) == (account_id, region)
            if check.wave in {None, wave} and there:
                found[wave].add(check.code)
    return {wave: frozenset(codes) for wave, codes in found.items() if codes}
