"""What the checks of a preflight look at. Gathered elsewhere; nothing here asks anybody."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from drportal.aws.limits import DRS_JOBS, JobQuotas
from recovery.engine.options import LATEST, Wish
from recovery.states import CheckOutcome

T = TypeVar("T")
Place = tuple[str, str]  # account id, Region
# A word beside those of `protection.choices`: nobody can tell what is set for a server.
NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What AWS told; or, with a `problem`, that it did not, and why. Then `value` is nothing."""

    value: T | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What somebody else's check made of a place."""

    outcome: CheckOutcome
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A DRS job that has not ended, whoever started it and whatever it does."""

    job_id: str
    kind: str
    server_ids: frozenset[str]
    servers: int


@dataclass(frozen=True, slots=True)
class Listed:
    """What DRS told of a server just now. `readiness` is a word of `protection.choices`."""

    readiness: str
    reason: str = ""
    lag: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Against:
    """What AWS has against a server's launch settings. `unasked`: it could not be asked."""

    message: str
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """How a server would be launched now. `differs` are launch settings that DRS and EC2 hold
    otherwise than they are set. With a `problem`, nothing of it is known.
    """

    against: tuple[Against, ...] = ()
    subnet_id: str = ""
    differs: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A recovery point: DRS's id, and when it was taken."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server that a wave would launch.

    `readiness` and `settings` are words of `protection.choices`, and `settings_message` why
    settings could not be applied. `listed_at` is how old the facts of the inventory are, and
    `wish` says which recovery point it is to be launched from.
    """

    server_id: str
    name: str
    wave: int
    group: str
    account_id: str
    region: str
    readiness: str
    reason: str = ""
    lag: timedelta | None = None
    listed_at: datetime | None = None
    held_by: str = ""
    wish: Wish = LATEST
    settings: str = "not_configured"
    settings_message: str = ""

    @property
    def place(self) -> Place:
        return self.account_id, self.region


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What was asked of AWS in one account and Region. `at` is when that began.

    `points` are those that servers would be launched from; they, `listed` and `launches` are by
    server id. `subnets` holds how many addresses are free, by id, None where EC2 does not say.
    `quotas_problem` is why Service Quotas did not tell, or empty.
    """

    at: datetime
    account: Judged
    drs: Judged
    permissions: Judged
    jobs: Told[tuple[JobFacts, ...]]
    instances: Told[Mapping[str, tuple[str, ...]]]
    subnets: Told[Mapping[str, int | None]] = field(default_factory=Told)
    points: Mapping[str, Told[Point]] = field(default_factory=dict)
    listed: Told[Mapping[str, Listed]] = field(default_factory=Told)
    launches: Mapping[str, LaunchFacts] = field(default_factory=dict)
    quotas: JobQuotas = DRS_JOBS
    quotas_problem: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about a plan as it would start now. `wrong` are (wave, sentence); wave 0 is none
    of them.
    """

    now: datetime
    rpo: timedelta | None
    needs: Mapping[int, frozenset[int]]
    servers: tuple[ServerFacts, ...]
    places: Mapping[Place, PlaceFacts]
    wrong: tuple[tuple[int, str], ...] = ()
