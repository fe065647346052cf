"""What AWS says of staging accounts right now: which a target could have, and whether one works.

Both are asked while a person waits, only read, and end after a few seconds: what has not answered
by then is named as missing.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drportal.aws.drs import Drs, SourceServer
from drportal.aws.errors import AwsError, Failure
from drportal.aws.scope import Account, Scope
from drportal.aws.staging import Extensions
from drportal.aws.sts import caller_account
from drportal.errors import InvalidInput
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus
from protection.models import SourceServer as KnownServer
from protection.models import StagingAccount, TargetAccount
from protection.rules import roles

WITHIN = 5.0  # seconds
_THREADS = 8
_NOT_TRUSTED = frozenset({Failure.ACCESS_DENIED, Failure.SCP_DENIED})
_REPLICATING = frozenset(
    {"CONTINUOUS", "INITIAL_SYNC", "RESCAN", "INITIATING", "CREATING_SNAPSHOT", "BACKLOG"}
)

T = TypeVar("T")


@dataclass(slots=True)
class Found:
    """A staging account that the target does not have yet, and by what it was noticed."""

    account_id: str
    name: str = ""
    regions: set[str] = field(default_factory=set)
    in_inventory: bool = False
    has_extended: bool = False
    has_extensible: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be found out."""

    region: str
    what: str
    message: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found and what is missing from it."""

    found: tuple[Found, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of entering an account by a role. None: it is not known."""

    entered: bool | None = None
    initialized: bool | None = None
    servers: int | None = None
    replicating: int | None = None
    error: str = ""

    @property
    def valid(self) -> bool:
        """Whether it could be a staging account: it was entered, and DRS is in use there."""
        return self.entered is True and self.initialized is True


@reaches_outside
def discover(
    target: TargetAccount, *, candidates: Iterable[str] = (), within: float = WITHIN
) -> Discovery:
    """The staging accounts that `target` recovers servers of, or could, and does not have yet.

    Extended servers tell it, those in the inventory and those that DRS lists now. Of `candidates`,
    account ids, DRS is asked whether they have servers that can be extended: it lists them only of
    an account that one names. Asks the Regions where the target answers.
    """
    found: dict[str, Found] = {}
    linked = set(target.staging_accounts.values_list("account_id", flat=True))
    _from_inventory(target, found)
    candidates = sorted(set(candidates) - linked - {target.account_id})
    answers, missing = _asked(target, candidates, within)
    for region, listed in answers.extended:
        for account_id in listed:
            _noted(found, account_id, region).has_extended = True
    for region, account_id in answers.extensible:
        _noted(found, account_id, region).has_extensible = True
    named = StagingAccount.objects.filter(account_id__in=candidates)
    names = dict(named.values_list("account_id", "name"))
    new = [entry for key, entry in sorted(found.items()) if key not in linked]
    for entry in new:
        entry.name = names.get(entry.account_id, "")
    return Discovery(tuple(new), tuple(missing))


@reaches_outside
def enter(
    *, account_id: str, role_arn: str, external_id: str, region: str, within: float = WITHIN
) -> Entry:
    """Whether an account can be entered by this role, and what DRS holds there in the Region.

    Nothing is kept. Raises InvalidInput.
    """
    arn = role_arn or roles.default_role_arn(account_id)
    errors = [
        *roles.identity_errors(account_id, "any"),
        *roles.role_errors(account_id, arn, external_id),
    ]
    if errors:
        raise InvalidInput("The staging account is not valid.", errors=errors)
    scope = Scope(Account(account_id, arn, external_id), region)
    [(answer, _)] = _all_within([lambda: _entered(scope)], within)
    if isinstance(answer, Entry):
        return answer
    return Entry(error=f"AWS did not answer within {within:g} seconds.")


def _entered(scope: Scope) -> Entry:
    try:
        caller_account(scope)
    except AwsError as error:
        denied = error.failure in {Failure.ACCESS_DENIED, Failure.SCP_DENIED, Failure.CREDENTIALS}
        return Entry(entered=False if denied else None, error=error.detail)
    try:
        servers = list(Drs(scope).source_servers())
    except AwsError as error:
        unused = error.failure is Failure.NOT_INITIALIZED
        return Entry(entered=True, initialized=False if unused else None, error=error.detail)
    replicating = sum(1 for server in servers if _replicates(server))
    return Entry(entered=True, initialized=True, servers=len(servers), replicating=replicating)


def _replicates(server: SourceServer) -> bool:
    """Whether it counts against the 300 of its own account: an extended one does not."""
    state = server.raw.get("dataReplicationInfo", {}).get("dataReplicationState", "")
    extended = server.raw.get("stagingArea", {}).get("stagingAccountID")
    return state in _REPLICATING and not extended


@dataclass(slots=True)
class _Answers:
    extended: list[tuple[str, list[str]]] = field(default_factory=list)
    extensible: list[tuple[str, str]] = field(default_factory=list)


def _from_inventory(target: TargetAccount, found: dict[str, Found]) -> None:
    servers = KnownServer.objects.filter(account=target).exclude(staging_account_id="")
    pairs = servers.order_by().values_list("staging_account_id", "region").distinct()
    for account_id, region in pairs:
        if account_id != target.account_id:
            _noted(found, account_id, region).in_inventory = True


def _noted(found: dict[str, Found], account_id: str, region: str) -> Found:
    entry = found.setdefault(account_id, Found(account_id))
    entry.regions.add(region)
    return entry


def _asked(
    target: TargetAccount, candidates: Sequence[str], within: float
) -> tuple[_Answers, list[Missing]]:
    """Ask every Region where the target answers, all at once."""
    rows = list(target.regions.order_by("region"))
    missing = [
        Missing(row.region, "everything", row.message or row.get_status_display())
        for row in rows
        if row.status != RegionStatus.ACTIVE and row.listed_at is not None
    ]
    places = [row.region for row in rows if row.status == RegionStatus.ACTIVE]
    questions: list[tuple[str, str]] = [(region, "") for region in places]
    questions += [(region, account) for region in places for account in candidates]
    asked = _all_within([_question(target, *question) for question in questions], within)
    answers = _Answers()
    for (region, account), (answer, error) in zip(questions, asked, strict=True):
        if error is not None and account and error.failure in _NOT_TRUSTED:
            continue  # it does not let this target extend anything: it is no staging account of it
        if answer is None:
            what = f"servers of {account} that can be extended" if account else "extended servers"
            why = error.message if error else f"no answer within {within:g} seconds"
            missing.append(Missing(region, what, why))
        elif not account:
            answers.extended.append((region, answer))
        elif answer:
            answers.extensible.append((region, account))
    return answers, missing


def _question(target: TargetAccount, region: str, account: str) -> Callable[[], list[str]]:
    extensions = Extensions(target.scope(region))
    if not account:
        return extensions.staging_accounts
    return lambda: [server.arn for server in extensions.extensible(account)]


def _all_within(
    questions: Sequence[Callable[[], T]], within: float
) -> list[tuple[T | None, AwsError | None]]:
    """Each question's answer or error; neither if it has not answered in time."""
    work = correlation_id()

    def ask(question: Callable[[], T]) -> T:
        with correlated(work):
            return question()

    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="staging-ask")
    try:
        asked = [pool.submit(ask, question) for question in questions]
        wait(asked, timeout=within)
        return [_answer_of(future) for future in asked]
    finally:
        # Whoever waits is let go; what is on its way ends by its own time-out.
        pool.shutdown(wait=False, cancel_futures=True)


def _answer_of(future: "Future[Any]") -> tuple[Any, AwsError | None]:
    if not future.done():
        return None, None
    try:
        return future.result(), None
    except AwsError as error:
        return None, error
