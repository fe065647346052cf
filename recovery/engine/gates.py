"""Gates that named people open: the rule of one, and how it stands. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from recovery.choices import GateExpiry


@dataclass(frozen=True, slots=True)
class GateRule:
    """How many of whom must approve before a gate opens, and what happens if they do not.

    `people` are user names, `roles` names of groups of users. Minutes count from when the gate was
    reached; 0 means never, and of `remind_minutes` that the installation's setting holds.
    `escalate_to` are mail addresses and user names.
    """

    needed: int = 1
    people: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    expires_minutes: int = 0
    on_expiry: str = GateExpiry.WAIT
    remind_minutes: int = 0
    escalate_minutes: int = 0
    escalate_to: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The rule as rows and documents keep it."""
        kept = asdict(self)
        for name in ("people", "roles", "escalate_to"):
            kept[name] = list(kept[name])
        return {**kept, "on_expiry": str(self.on_expiry)}

    def expires_at(self, reached_at: datetime) -> datetime | None:
        """From when on it has a consequence that nobody has opened it; None for never."""
        if not self.expires_minutes or self.on_expiry == GateExpiry.WAIT:
            return None
        return reached_at + timedelta(minutes=self.expires_minutes)


class Standing(StrEnum):
    """How a gate stands. Only OPEN lets its wave start."""

    WAITING = "WAITING"
    OPEN = "OPEN"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"


SHUT = frozenset({Standing.DENIED, Standing.EXPIRED})


def of_dict(kept: Mapping[str, Any]) -> GateRule | None:
    """The rule that is kept; None where there is none, and anybody who may steer opens."""
    if not kept:
        return None
    lists = {name: tuple(kept[name]) for name in ("people", "roles", "escalate_to")}
    return GateRule(**{**kept, **lists})


def standing(
    rule: GateRule,
    *,
    approved: Collection[str],
    denied: bool,
    counting: Collection[str],
    reached_at: datetime,
    now: datetime,
) -> Standing:
    """How a gate stands at `now`. `approved` are the names of who approved, `counting` of those
    who are there and may. Everybody counts once; who is not there, or may not, never.
    """
    if denied:
        return Standing.DENIED
    expires_at = rule.expires_at(reached_at)
    if expires_at is not None and expires_at <= now:
        return Standing.EXPIRED
    enough = len(set(approved) & set(counting)) >= max(rule.needed, 1)
    return Standing.OPEN if enough else Standing.WAITING


def cancels(rule: GateRule) -> bool:
    """Whether a gate that is shut ends the whole execution, not only its wave."""
    return rule.on_expiry == GateExpiry.CANCEL
