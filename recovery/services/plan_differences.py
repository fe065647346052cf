"""What is different between two versions of a plan, wave by wave. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]

# What older documents do not say was so when they were written.
_HEAD: Mapping[str, Any] = {
    "name": "",
    "description": "",
    "owner": "",
    "rto_seconds": None,
    "rpo_seconds": None,
    "preflight_before_waves": True,
    "launch_settings_policy": "BLOCK",
    "drill_every_days": None,
    "notification_addresses": [],
    "tags": {},
    "approval_needed": True,
}
_WAVE: Mapping[str, Any] = {
    "position": 0,
    "name": "",
    "depends_on": [],
    "gate": False,
    "gate_instructions": "",
    "gate_rule": None,
    "wait_seconds": 0,
    "time_limit_seconds": 0,
    "success_threshold": 100,
    "checks": [],
    "groups": [],
}


class What(StrEnum):
    """What became of a wave."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class Change:
    """A field that says something else."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class WaveChange:
    """A wave that is new, gone or different. `position` is where it is, or was if it is gone."""

    position: int
    name: str
    what: What
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that is different."""

    plan: tuple[Change, ...]
    waves: tuple[WaveChange, ...]

    def __bool__(self) -> bool:
        return bool(self.plan or self.waves)


def differences(before: Document, after: Document) -> Differences:
    """What `after` says and `before` does not.

    A wave is the same one if it has the same name, or else the same position. That a wave waits
    for others is told by their names, so that moving a wave changes nothing but positions.
    """
    pairs = _paired(before["waves"], after["waves"])
    found = [_of_pair(old, new, before, after) for old, new in pairs]
    return Differences(
        plan=tuple(_changes(before, after, _HEAD)),
        waves=tuple(change for change in found if change is not None),
    )


def _of_pair(
    old: Document | None, new: Document | None, before: Document, after: Document
) -> WaveChange | None:
    if new is None:
        assert old is not None  # noqa: S101  # a pair has one at least
        return WaveChange(old["position"], old["name"], What.REMOVED)
    if old is None:
        told = tuple(_changes({}, _told(new, after), _WAVE))
        return WaveChange(new["position"], new["name"], What.ADDED, told)
    changed = tuple(_changes(_told(old, before), _told(new, after), _WAVE))
    return WaveChange(new["position"], new["name"], What.CHANGED, changed) if changed else None


def _paired(
    before: Sequence[Document], after: Sequence[Document]
) -> list[tuple[Document | None, Document | None]]:
    old_by_name, new_by_name = _by_name(before), _by_name(after)
    partner = {
        new_by_name[name]["position"]: old
        for name, old in old_by_name.items()
        if name in new_by_name
    }
    used = {old["position"] for old in partner.values()}
    left = {old["position"]: old for old in before if old["position"] not in used}
    for new in after:
        if new["position"] not in partner and new["position"] in left:
            partner[new["position"]] = left.pop(new["position"])
    pairs: list[tuple[Document | None, Document | None]] = [
        (partner.get(new["position"]), new) for new in after
    ]
    return [*pairs, *((old, None) for old in left.values())]


def _by_name(waves: Sequence[Document]) -> dict[str, Document]:
    """The waves whose name no other wave has."""
    times = Counter(wave["name"] for wave in waves)
    return {wave["name"]: wave for wave in waves if times[wave["name"]] == 1}


def _told(wave: Document, of: Document) -> dict[str, Any]:
    names = {other["position"]: other["name"] for other in of["waves"]}
    needs = [names.get(position, str(position)) for position in wave["depends_on"]]
    groups = [_group(group) for group in wave["groups"]]
    return {**wave, "depends_on": sorted(needs), "groups": sorted(groups)}


def _group(group: Document) -> str:
    said = [group["name"]]
    for key, words in (("server_ids", "only"), ("optional_server_ids", "optional")):
        if group.get(key):
            said.append(f"{words} {', '.join(sorted(group[key]))}")
    return "; ".join(said)


def _changes(before: Document, after: Document, fields: Mapping[str, Any]) -> Iterable[Change]:
    for field, usual in fields.items():
        old, new = before.get(field, usual), after.get(field, usual)
        if old != new:
            yield Change(field, old, new)
