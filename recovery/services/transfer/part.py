"""What the functions that bring in one part of a document are given."""

from dataclasses import dataclass, field
from typing import Any

from drportal.actor import Actor
from recovery.services.transfer.outcome import Fate, Outcome, What


@dataclass(slots=True)
class Standing:
    """What earlier parts of the same document came to: `refused` are (kind, name in lower case)."""

    refused: set[tuple[What, str]] = field(default_factory=set)


@dataclass(slots=True)
class Part:
    """One part of a document, on its way in."""

    entry: Any
    place: str
    add_only: bool
    outcome: Outcome
    standing: Standing
    actor: Actor
    why_skipped: str = ""

    def warn(self, code: str, message: str, *, below: str = "") -> None:
        """Note what a person ought to know of this part."""
        self.outcome.warn(f"{self.place}{below}", code, message)

    def leave(self, there: Any) -> Fate | None:
        """SKIPPED if what is there is the same already, or may not be changed; else None.

        `there` is the part as an export tells it now.
        """
        if there == self.entry:
            self.why_skipped = "It is there already, and the same."
        elif self.add_only:
            self.why_skipped = "It is there already, with other content; it was left as it is."
        else:
            return None
        return Fate.SKIPPED
