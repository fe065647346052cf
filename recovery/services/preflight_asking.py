"""What a preflight asks of AWS, in every account and Region of a plan at once. Nothing is written.

Each place stands by itself. One that does not answer is not known, and says why; nothing that was
not answered looks like an answer.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from drportal.aws.drs import Drs, Job
from drportal.aws.errors import AwsError
from drportal.aws.limits import JobQuotas
from drportal.aws.quotas import documented_quotas, drs_quotas
from drportal.aws.scope import Scope
from drportal.aws.sts import Caller, entered
from drportal.transactions import reaches_outside
from protection.models import TargetAccount
from protection.rules.validation import Check, not_entered, passed, refused
from protection.services import asking, validation_checks
from recovery.engine.options import Wish
from recovery.engine.preflight_facts import JobFacts, Judged, Place, PlaceFacts, Told
from recovery.services import preflight_servers as servers
from recovery.states import CheckOutcome

# A job ends after 24 hours at the most (DRS quotas), so that older ones cannot be running.
_OLDEST_JOB: Final = timedelta(hours=48)
_NOT_ENTERED: Final = "the account could not be entered"
_NO_DRS: Final = "DRS does not answer there"
_INACTIVE: Final = Judged(
    CheckOutcome.FAILED,
    "The account is not active in the portal.",
    "Activate it on its page under Target accounts.",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One account and Region of a plan, and what is asked about there: servers, what launch
    settings the portal intends for each, and which recovery point is wished for each, by DRS's id
    of it.

    `before_wave` says that it is for a wave that could launch now: then DRS is asked how the
    servers stand, and not when each had its last recovery point, which would be a call for each.
    """

    account: TargetAccount
    region: str
    server_ids: tuple[str, ...]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    before_wave: bool = False

    @property
    def place(self) -> Place:
        return self.account.account_id, self.region

    def scope(self) -> Scope:
        return self.account.scope(self.region)


@dataclass(frozen=True, slots=True)
class _Entered:
    """What came of entering one place. Without `caller`, nothing more is asked there."""

    wanted: Wanted
    facts: PlaceFacts
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    """One thing to ask in a place. `name` says which of its facts the answer is."""

    place: Place
    name: str
    ask: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class _Answer:
    question: _Question
    told: Told[Any]


@reaches_outside
def ask_places(wanted: Sequence[Wanted], *, alive: Callable[[], None]) -> dict[Place, PlaceFacts]:
    """What each place tells now. AWS's failures are facts too; none is raised."""
    places: dict[Place, PlaceFacts] = {}
    questions: list[_Question] = []
    for found in asking.ask_all(wanted, _enter, alive=alive):
        places[found.wanted.place] = found.facts
        questions += _questions(found)
    answers: dict[Place, list[_Answer]] = defaultdict(list)
    for answer in asking.ask_all(questions, _answer, alive=alive):
        answers[answer.question.place].append(answer)
    return {place: _with(facts, answers[place]) for place, facts in places.items()}


def _enter(wanted: Wanted) -> _Entered:
    now = timezone.now()
    account = wanted.account
    if not account.active:
        return _Entered(wanted, _shut(now, _INACTIVE, _NOT_ENTERED))
    scope = wanted.scope()
    try:
        caller = entered(scope)
    except AwsError as error:
        why = _judged(not_entered(error, hub=validation_checks.is_hub(account)))
        return _Entered(wanted, _shut(now, why, _NOT_ENTERED))
    said = _judged(passed("role", f"AWS knows the portal there as {caller.principal}."))
    try:
        Drs(scope).must_be_initialized()
    except AwsError as error:
        facts = _shut(now, said, _NO_DRS)
        return _Entered(wanted, replace(facts, drs=_judged(refused("drs", error))))
    facts = replace(_shut(now, said, ""), drs=_judged(passed("drs", "DRS is initialized.")))
    return _Entered(wanted, facts, caller)


def _shut(now: datetime, account: Judged, why: str) -> PlaceFacts:
    """A place of which nothing more is known, because of `why`."""
    unknown = Judged(CheckOutcome.UNKNOWN, f"Not known: {why}.", account.remedy)
    return PlaceFacts(
        at=now,
        account=account,
        drs=unknown,
        permissions=unknown,
        jobs=Told(problem=why),
        instances=Told(problem=why),
        subnets=Told(problem=why),
    )


def _judged(check: Check) -> Judged:
    return Judged(CheckOutcome(str(check.state)), check.detail, check.remedy)


def _questions(found: _Entered) -> Iterator[_Question]:
    caller, wanted = found.caller, found.wanted
    if caller is None:
        return
    place, scope, ids = wanted.place, wanted.scope(), wanted.server_ids
    since = timezone.now() - _OLDEST_JOB
    yield _Question(place, "jobs", lambda: Drs(scope).jobs_since(since))
    yield _Question(place, "quotas", lambda: drs_quotas(scope))
    yield _Question(place, "instances", lambda: Drs(scope).recovery_instances(ids))
    yield _Question(
        place,
        "permissions",
        lambda: validation_checks.permissions_in(wanted.account, caller, scope),
    )
    if wanted.before_wave:
        yield _Question(place, "listed", lambda: servers.listed(scope, ids))
    else:
        yield _Question(place, "points", lambda: servers.points(scope, wanted.wishes))
    yield _Question(place, "launches", lambda: servers.launches(scope, wanted.values))


def _answer(question: _Question) -> _Answer:
    try:
        return _Answer(question, Told(question.ask()))
    except AwsError as error:
        return _Answer(question, Told(problem=error.detail))


def _with(facts: PlaceFacts, answers: Sequence[_Answer]) -> PlaceFacts:
    """The facts of a place with what it answered. Where a question failed, its facts say so."""
    for answer in answers:
        facts = replace(facts, **_READ[answer.question.name](answer.told))
    return facts


def _jobs(told: Told[list[Job]]) -> dict[str, Any]:
    if told.problem:
        return {"jobs": told}
    running = [job for job in told.value or [] if not job.completed]
    return {
        "jobs": Told(
            tuple(
                JobFacts(job.job_id, job.kind or "job", job.server_ids, len(job.participants))
                for job in running
            )
        )
    }


def _quotas(told: Told[Any]) -> dict[str, Any]:
    found = told.value or documented_quotas(told.problem)
    return {
        "quotas": JobQuotas(
            concurrent_jobs=found.concurrent_jobs.value,
            servers_in_jobs=found.servers_in_jobs.value,
            servers_per_job=found.servers_per_job.value,
        ),
        "quotas_problem": found.problem,
    }


def _instances(told: Told[Any]) -> dict[str, Any]:
    if told.problem:
        return {"instances": told}
    found: dict[str, list[str]] = defaultdict(list)
    for instance in told.value or ():
        if instance.ec2_state.upper() != "TERMINATED":
            found[instance.server_id].append(instance.instance_id)
    return {"instances": Told({server: tuple(ids) for server, ids in found.items()})}


def _points(told: Told[Any]) -> dict[str, Any]:
    return {"points": told.value or {}}


def _listed(told: Told[Any]) -> dict[str, Any]:
    return {"listed": told}


def _launches(told: Told[Any]) -> dict[str, Any]:
    if told.value is None:
        return {"subnets": Told(problem=told.problem)}
    launches, subnets = told.value
    return {"launches": launches, "subnets": subnets}


def _permissions(told: Told[Check]) -> dict[str, Any]:
    if told.value is None:
        remedy = "Run the preflight again."
        return {"permissions": Judged(CheckOutcome.UNKNOWN, told.problem, remedy)}
    return {"permissions": _judged(told.value)}


_READ: Final[Mapping[str, Callable[[Told[Any]], dict[str, Any]]]] = {
    "jobs": _jobs,
    "quotas": _quotas,
    "instances": _instances,
    "points": _points,
    "listed": _listed,
    "launches": _launches,
    "permissions": _permissions,
}
