"""What the checks of a preflight come to: an outcome, a score, and what lowers that."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from recovery.states import CheckOutcome

BLOCKING: Final = frozenset({CheckOutcome.FAILED, CheckOutcome.UNKNOWN})
# From best to worst: what is certainly wrong goes before what nobody knows.
_WORSE: Final = (
    CheckOutcome.PASSED,
    CheckOutcome.WARNING,
    CheckOutcome.UNKNOWN,
    CheckOutcome.FAILED,
)
# What a kind of check takes off the score, by the worst that it found anywhere.
_POINTS: Final[Mapping[CheckOutcome, int]] = {
    CheckOutcome.PASSED: 0,
    CheckOutcome.WARNING: 5,
    CheckOutcome.UNKNOWN: 20,
    CheckOutcome.FAILED: 30,
}
_FULL: Final = 100

TITLES: Final[Mapping[str, str]] = {
    "servers": "Servers of the plan",
    "account": "Entering the account",
    "drs": "DRS initialized",
    "permissions": "Permissions of the role",
    "replication": "Replication",
    "lag": "Lag against the RPO",
    "recovery_point": "Recovery point",
    "held": "Held by others",
    "quotas": "Quotas of DRS",
    "launch_settings": "Launch settings",
    "launch_target": "Where it would launch",
    "addresses": "Free addresses",
    "instances": "Existing recovery instances",
}


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found, what it is about as far as it is about less than the plan, what to do,
    and since when the facts are known on which it rests. `server_ids` are DRS's.
    """

    code: str
    outcome: CheckOutcome
    found: str
    remedy: str = ""
    wave: int | None = None
    group: str = ""
    account_id: str = ""
    region: str = ""
    server_ids: tuple[str, ...] = ()
    facts_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """As `Preflight.checks` keeps it."""
        return asdict(self) | {
            "outcome": str(self.outcome),
            "server_ids": list(self.server_ids),
            "facts_at": self.facts_at.isoformat() if self.facts_at else None,
        }


@dataclass(frozen=True, slots=True)
class Loss:
    """A kind of check that lowers the score, and by how many points."""

    code: str
    outcome: CheckOutcome
    points: int

    @property
    def title(self) -> str:
        return TITLES.get(self.code, self.code)


def of_dict(kept: Mapping[str, Any]) -> Check:
    """A check out of `Preflight.checks`."""
    at = kept["facts_at"]
    return Check(
        **{
            **kept,
            "outcome": CheckOutcome(kept["outcome"]),
            "server_ids": tuple(kept["server_ids"]),
            "facts_at": datetime.fromisoformat(at) if at else None,
        }
    )


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """What blocks first, then what is good; in the order of waves."""
    return sorted(
        checks,
        key=lambda check: (-_WORSE.index(check.outcome), check.wave or 0, _place_of(check.code)),
    )


def _place_of(code: str) -> int:
    return list(TITLES).index(code) if code in TITLES else len(TITLES)


def in_the_way(checks: Iterable[Check], *, most: int = 5) -> str:
    """What blocks, in sentences; of many, those that are worst."""
    blocking = [check for check in worst_first(checks) if check.outcome in BLOCKING]
    told = [f"{TITLES.get(check.code, check.code)}: {check.found}" for check in blocking]
    more = f" And {len(told) - most} more." if len(told) > most else ""
    return " ".join(told[:most]) + more


def outcome_of(checks: Iterable[Check]) -> CheckOutcome:
    """The worst of them. Where nothing was looked at, nothing is known."""
    return max((check.outcome for check in checks), key=_WORSE.index, default=CheckOutcome.UNKNOWN)


def losses(checks: Iterable[Check]) -> list[Loss]:
    """What lowers the score, the heaviest first: one entry for each kind of check."""
    worst: dict[str, CheckOutcome] = {}
    for check in checks:
        known = worst.get(check.code, CheckOutcome.PASSED)
        worst[check.code] = max(known, check.outcome, key=_WORSE.index)
    found = [Loss(code, outcome, _POINTS[outcome]) for code, outcome in worst.items()]
    lowering = [loss for loss in found if loss.points]
    return sorted(lowering, key=lambda loss: (-loss.points, _place_of(loss.code)))


def score_of(checks: Iterable[Check]) -> int | None:
    """The readiness score, 0 to 100; None where nothing was looked at, which is not 0."""
    made = list(checks)
    if not made:
        return None
    return max(0, _FULL - sum(loss.points for loss in losses(made)))


def digest_of(servers: Iterable[tuple[object, ...]]) -> str:
    """Equal for the same servers in the same waves: (wave, account id, Region, server id), and the
    wished recovery point after them where that counts.
    """
    text = "\n".join(sorted("/".join(map(str, server)) for server in servers))
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(account_id: str, region: str, server_id: str) -> str:
    """What a server is known by in `Preflight.points`."""
    return f"{account_id}/{region}/{server_id}"
