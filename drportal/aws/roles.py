"""Into an account: role sessions, kept until they near their end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from django.conf import settings

from drportal.aws.boto import session
from drportal.aws.errors import PASSING, AwsError, Call, Failure, translate
from drportal.aws.scope import Account
from drportal.observability import correlation_id

# A session is left this long before AWS would end it, so that no call starts with one that dies.
_MARGIN = timedelta(minutes=5)
_TRY_AT_HOME = PASSING | {Failure.CREDENTIALS, Failure.REGION_NOT_OPTED_IN}
_SESSION_SECONDS = 3600  # the most that a chained role session may last (IAM user guide)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys of one role session."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime

    def as_keys(self) -> dict[str, str]:
        """The arguments of `drportal.aws.boto.Keys`."""
        return {
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "token": self.token,
        }


T = TypeVar("T")

_sessions: dict[tuple[str, str, str], Credentials] = {}
_hub_ids: dict[str, str] = {}  # one entry, under ""
_stses: dict[tuple[str, bool, str | None], Any] = {}
_lock = threading.Lock()


def credentials_for(account: Account, *, region: str) -> Credentials | None:
    """The keys for `account`, or None for the hub, whose keys boto3 finds by itself.

    Raises AwsError when the role cannot be assumed, or when it or the hub's keys lead into another
    account: whatever is then read or launched would be somebody else's.
    """
    if not account.role_arn:
        _must_be_hub(account, region)
        return None
    if account.external_id_lost:
        call = Call(operation="AssumeRole", account_id=account.account_id, region=region)
        message = "its external id was not in the mirror, and must be entered again"
        raise AwsError(Failure.ACCESS_DENIED, message, call=call)
    key = (account.account_id, account.role_arn, account.external_id)
    with _lock:
        known = _sessions.get(key)
    if known and known.expires_at - _MARGIN > datetime.now(UTC):
        return known
    made = _somewhere(_assume, account, region)
    with _lock:
        _sessions[key] = made
    return made


def forget_sessions() -> None:
    """Drop every cached session, for a test or after an account's role was changed."""
    with _lock:
        _sessions.clear()
        _hub_ids.clear()
        _stses.clear()


def forget_session(account: Account) -> None:
    """Drop what is cached of the way into one account, so that it is really entered again."""
    with _lock:
        if account.role_arn:
            _sessions.pop((account.account_id, account.role_arn, account.external_id), None)
        else:
            _hub_ids.clear()


def own_account(region: str) -> str:
    """The account that the hub's keys belong to. Asked once, and then within a few seconds."""
    with _lock:
        known = _hub_ids.get("")
    if known is None:
        call = Call(operation="GetCallerIdentity", account_id="hub", region=region)
        known = _asked_who(_sts(region, patient=False), call)
        with _lock:
            _hub_ids[""] = known
    return known


def _sts(region: str, *, patient: bool = True) -> Any:
    """STS with the hub's own keys. Kept, because making a client costs more than asking it."""
    endpoint = settings.AWS_ENDPOINT_URL or None
    key = (region, patient, endpoint)
    with _lock:
        if key not in _stses:
            _stses[key] = _made_sts(region, endpoint, patient=patient)
        return _stses[key]


def _made_sts(region: str, endpoint: str | None, *, patient: bool) -> Any:
    config = Config(
        connect_timeout=5 if patient else 1,
        read_timeout=settings.AWS_READ_TIMEOUT_SECONDS if patient else 3,
        retries={"mode": "standard", "total_max_attempts": 3 if patient else 1},
    )
    return session(region=region).client("sts", config=config, endpoint_url=endpoint)


def _somewhere(ask: Callable[[Account, str], T], account: Account, region: str) -> T:
    """Ask STS in the Region itself, so that no other Region is needed in a disaster; in the
    portal's home Region if the first one is out of reach or not enabled for the hub.
    """
    try:
        return ask(account, region)
    except AwsError as error:
        home = settings.AWS_DEFAULT_REGION
        if home == region or error.failure not in _TRY_AT_HOME:
            raise
    return ask(account, home)


def _assume(account: Account, region: str) -> Credentials:
    call = Call(operation="AssumeRole", account_id=account.account_id, region=region)
    wanted: dict[str, Any] = {
        "RoleArn": account.role_arn,
        "RoleSessionName": f"drportal-{correlation_id()[:32] or 'portal'}",
        "DurationSeconds": _SESSION_SECONDS,
    }
    if account.external_id:
        wanted["ExternalId"] = account.external_id
    try:
        answer = _sts(region).assume_role(**wanted)
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        raise translate(error, call=call) from error
    _must_lead_to(account.account_id, answer["AssumedRoleUser"]["Arn"].split(":")[4], call)
    keys = answer["Credentials"]
    return Credentials(
        access_key=keys["AccessKeyId"],
        secret_key=keys["SecretAccessKey"],
        token=keys["SessionToken"],
        expires_at=keys["Expiration"],
    )


def _must_be_hub(account: Account, region: str) -> None:
    with _lock:
        found = _hub_ids.get("")
    if found is None:
        found = _somewhere(_hub_id, account, region)
        with _lock:
            _hub_ids[""] = found
    call = Call(operation="GetCallerIdentity", account_id=account.account_id, region=region)
    _must_lead_to(account.account_id, found, call)


def _hub_id(account: Account, region: str) -> str:
    call = Call(operation="GetCallerIdentity", account_id=account.account_id, region=region)
    return _asked_who(_sts(region), call)


def _asked_who(sts: Any, call: Call) -> str:
    try:
        return str(sts.get_caller_identity()["Account"])
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        raise translate(error, call=call) from error


def _must_lead_to(wanted: str, found: str, call: Call) -> None:
    if wanted != found:
        raise AwsError(
            Failure.CREDENTIALS,
            f"the credentials lead into account {found}, not into {wanted}",
            call=call,
        )
