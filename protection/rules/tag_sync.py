"""What the tag sync would do to one server: decided here, without asking or writing.

A tag in DRS is ours while it has the value that we gave it. One that somebody set, or set anew,
is theirs: it is neither changed nor removed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from protection.choices import SkipReason

LONGEST = 256  # characters of a key and of a value (botocore model)
MOST = 50  # tags of a resource

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tags are taken, and under which key. No pattern to include means all."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    mapping: Tags = field(default_factory=dict)

    def takes(self, key: str) -> bool:
        """Whether the tag with this key is taken from EC2. AWS keeps `aws:` to itself."""
        if key.lower().startswith("aws:"):
            return False
        included = not self.include or any(fnmatchcase(key, each) for each in self.include)
        return included and not any(fnmatchcase(key, each) for each in self.exclude)


@dataclass(frozen=True, slots=True)
class TagPlan:
    """What to set and to remove, what was passed over, and which of the tags there are ours."""

    to_set: dict[str, str]
    to_remove: tuple[str, ...]
    ours: dict[str, str]
    skipped: Counter[str]

    @property
    def changes(self) -> bool:
        """Whether anything is to be done in DRS."""
        return bool(self.to_set or self.to_remove)

    @property
    def intended(self) -> dict[str, str]:
        """The tags to note as ours before anything is set: one that was set, and whose answer got
        lost, is then still known to be ours.
        """
        return {**self.to_set, **self.ours}

    @property
    def after(self) -> dict[str, str]:
        """The tags that are ours once all is done."""
        kept = {key: value for key, value in self.ours.items() if key not in self.to_remove}
        return {**kept, **self.to_set}

    def applied_to(self, current: Tags) -> dict[str, str]:
        """All tags of the server once all is done."""
        kept = {key: value for key, value in current.items() if key not in self.to_remove}
        return {**kept, **self.to_set}


def planned(source: Tags, current: Tags, synced: Tags, choice: Choice) -> TagPlan:
    """The plan for a server whose instance has the tags `source` and which has `current` in DRS.

    `synced` are the tags that we set there, with the values that we gave them.
    """
    skipped: Counter[str] = Counter()
    wanted = _wanted(source, choice, skipped)
    ours = {
        key: value
        for key, value in current.items()
        if key in synced and value in (synced[key], wanted.get(key))
    }
    to_remove = tuple(sorted(ours.keys() - wanted.keys()))
    to_set: dict[str, str] = {}
    room = MOST - len(current) + len(to_remove)
    for key, value in sorted(wanted.items()):
        if key in current:
            if key in ours and current[key] != value:
                to_set[key] = value
            elif current[key] != value:
                skipped[SkipReason.TAG_NOT_OURS] += 1
        elif room > 0:
            to_set[key] = value
            room -= 1
        else:
            skipped[SkipReason.TAGS_FULL] += 1
    return TagPlan(to_set, to_remove, ours, skipped)


def _wanted(source: Tags, choice: Choice, skipped: Counter[str]) -> dict[str, str]:
    """The tags that DRS is to have. Of two that end up with one key, a mapped one goes first."""
    wanted: dict[str, str] = {}
    taken = [key for key in source if choice.takes(key)]
    for key in sorted(taken, key=lambda each: (each not in choice.mapping, each)):
        name, value = choice.mapping.get(key, key), source[key]
        if not name or max(len(name), len(value)) > LONGEST:
            skipped[SkipReason.TAG_TOO_LONG] += 1
        elif name in wanted:
            skipped[SkipReason.TAG_TWICE] += 1
        else:
            wanted[name] = value
    return wanted
