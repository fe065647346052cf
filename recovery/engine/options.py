"""What part of a plan a start carries out, and from which recovery points. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from recovery.engine.wording import counted, named


@dataclass(frozen=True, slots=True)
class Wish:
    """Which recovery point a server is to be launched from: the one with this id, or the newest
    that was taken at or before `not_after`. Without either, the latest.
    """

    snapshot_id: str = ""
    not_after: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.snapshot_id or self.not_after)

    def __str__(self) -> str:
        if self.snapshot_id:
            return self.snapshot_id
        return f"not after {_utc(self.not_after)}" if self.not_after else "latest"


LATEST = Wish()

# What DRS calls a recovery point (botocore model); it launches from nothing else.
POINT_ID: Final = re.compile(r"pit-[0-9a-zA-Z]{17}")


@dataclass(frozen=True, slots=True)
class StartOptions:
    """Which waves and servers of a plan are launched, from which recovery points, and for which
    ticket. Without any, the whole plan is, from the latest points.

    `from_wave` leaves out the waves with lower positions; `waves` all but these; `server_ids`,
    DRS's ids, all servers but these. What is left out counts as ended well. `points` are the
    recovery points that were chosen, by server id; for the other servers `not_after` counts.
    """

    from_wave: int = 1
    waves: frozenset[int] = frozenset()
    server_ids: frozenset[str] = frozenset()
    points: Mapping[str, str] = field(default_factory=dict)
    not_after: datetime | None = None
    ticket: str = ""

    def takes_wave(self, position: int) -> bool:
        """Whether a wave at `position` is launched, if there is a server in it to launch."""
        return position >= self.from_wave and (not self.waves or position in self.waves)

    def takes(self, position: int, server_id: str) -> bool:
        """Whether a server of the wave at `position` is launched."""
        chosen = not self.server_ids or server_id in self.server_ids
        return chosen and self.takes_wave(position)

    def wish(self, server_id: str) -> Wish:
        """From which recovery point a server is to be launched."""
        if server_id in self.points:
            return Wish(snapshot_id=self.points[server_id])
        return Wish(not_after=self.not_after)

    def as_dict(self) -> dict[str, Any]:
        """What was asked for, as it is kept; empty for the whole plan from the latest points. Equal
        for options that ask for the same. The ticket is no part of it.
        """
        told: dict[str, Any] = {}
        if self.from_wave > 1:
            told["from_wave"] = self.from_wave
        if self.waves:
            told["waves"] = sorted(self.waves)
        if self.server_ids:
            told["server_ids"] = sorted(self.server_ids)
        if self.points:
            told["points"] = {key: self.points[key] for key in sorted(self.points)}
        if self.not_after is not None:
            told["not_after"] = _utc(self.not_after)
        return told

    @classmethod
    def of_dict(cls, kept: Mapping[str, Any]) -> "StartOptions":
        """Options out of what `as_dict` told."""
        at = kept.get("not_after")
        return cls(
            from_wave=kept.get("from_wave", 1),
            waves=frozenset(kept.get("waves", ())),
            server_ids=frozenset(kept.get("server_ids", ())),
            points=dict(kept.get("points", {})),
            not_after=datetime.fromisoformat(at) if at else None,
        )

    def said(self) -> str:
        """What was asked for, in sentences; empty for the whole plan from the latest points."""
        told = []
        if self.from_wave > 1:
            told.append(f"From wave {self.from_wave} on.")
        if self.waves:
            told.append(f"Only {_waves(self.waves)}.")
        if self.server_ids:
            servers = counted(len(self.server_ids), "server")
            told.append(f"Only {servers}: {named(sorted(self.server_ids))}.")
        if self.points:
            chosen = [f"{server} from {point}" for server, point in self.points.items()]
            told.append(f"Recovery points chosen: {named(chosen)}.")
        if self.not_after is not None:
            what = "Other recovery points" if self.points else "Recovery points"
            until = self.not_after.astimezone(UTC)
            told.append(f"{what}: the newest not after {until:%Y-%m-%d %H:%M:%S} UTC.")
        return " ".join(told)


WHOLE = StartOptions()

# DRS tells of a point when it was meant to be taken, or when it was; points are minutes apart.
_SAME_POINT: Final = timedelta(minutes=5)


def took_another(chosen_at: datetime | None, used_at: datetime | None) -> bool:
    """Whether an instance has the data of another recovery point than was chosen for it, as far as
    both are known.
    """
    if chosen_at is None or used_at is None:
        return False
    return abs(used_at - chosen_at) > _SAME_POINT


def inherited(
    needs: Mapping[int, Collection[int]], left_out: Collection[int]
) -> dict[int, frozenset[int]]:
    """What each wave waits for when those at `left_out` are not launched: for what it needs and,
    through a wave that is left out, for what that one would have waited for.

    Without this, a wave would overtake the first of three in a row when the middle one is left
    out. There must be no cycle.
    """
    found: dict[int, frozenset[int]] = {}

    def of(position: int) -> frozenset[int]:
        if position not in found:
            direct = frozenset(needs[position])
            through = (of(need) for need in direct if need in left_out and need in needs)
            found[position] = direct.union(*through)
        return found[position]

    return {position: of(position) for position in needs}


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _waves(positions: Collection[int]) -> str:
    listed = ", ".join(map(str, sorted(positions)))
    return f"wave {listed}" if len(positions) == 1 else f"waves {listed}"
