"""Letting recovery instances replicate back, and watching that until they may be launched.

What came from AWS is reversed by DRS when it is asked; a question whose answer was lost is looked
for before anything is asked again. On premises a person starts the failback client: the portal
watches, and says so.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from drportal.aws import drs as aws
from drportal.aws.drs import parse_duration, parse_time
from drportal.aws.errors import AwsError, Failure
from drportal.aws.failback import FailbackDrs
from drportal.aws.roles import forget_sessions
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from protection.models import TargetAccount
from recovery.engine.failing_back import Move, Reversal, reversal, why_not_ready
from recovery.failback_states import NOT_LAUNCHED, Origin, ReturnState
from recovery.models import Failback, FailbackInstance, WaveServer
from recovery.services import failback_looks as looks
from recovery.services.answers import TRIES, passes_by_itself
from recovery.services.carrying import at_once, tolerating_races
from recovery.services.events import note
from recovery.services.failback_ends import not_told, remember, settle
from recovery.services.leases import Lease
from recovery.services.pace import retry_after, settle_time
from recovery.states import InstanceOutcome, JobState


@reaches_outside
def look(failback: Failback, lease: Lease) -> list[AwsError]:
    """Look at everything that has not been launched back, ask for what may be asked, and write
    down what was told. Returns what AWS failed with.
    """
    failed: list[AwsError] = []
    rows = list(
        failback.instances.filter(state__in=sorted(NOT_LAUNCHED)).select_related(
            "server", "job", "failback__execution"
        )
    )
    rows = [row for row in rows if row.job is None or row.job.state != JobState.STARTED]
    places = looks.by_place(rows, looks.here)
    at_once([partial(_look_here, place, found, lease, failed) for place, found in places.items()])
    lease.must_be_held()
    reversed_ = [row for row in rows if row.reversed_arn and row.state in NOT_LAUNCHED]
    homes = looks.by_place(reversed_, looks.home)
    at_once([partial(_look_home, place, found, lease, failed) for place, found in homes.items()])
    checkpoint("failback.looked", failback_id=str(failback.pk))
    return failed


def _look_here(
    place: looks.Place, rows: Sequence[FailbackInstance], lease: Lease, failed: list[AwsError]
) -> None:
    scope = looks.scope_of(place)
    if scope is None:
        not_told(rows, looks.unregistered(place[0]))
        return
    drs = FailbackDrs(scope)
    try:
        listed = looks.there(drs, rows)
        of_aws = [row.source_server_id for row in rows]
        servers = {found.server_id: found for found in drs.source_servers_named(of_aws)}
    except AwsError as error:
        _unanswered(rows, error, failed)
        return
    for row in rows:
        lease.must_be_held()
        tolerating_races(partial(_bring_further, row, drs, listed, servers, failed))


def _look_home(
    place: looks.Place, rows: Sequence[FailbackInstance], lease: Lease, failed: list[AwsError]
) -> None:
    """How the servers replicate that the reversal made where the instances came from."""
    scope = looks.scope_of(place)
    if scope is None:
        not_told(rows, looks.unregistered(place[0]))
        return
    try:
        found = FailbackDrs(scope).source_servers_named([row.reversed_server_id for row in rows])
    except AwsError as error:
        _unanswered(rows, error, failed)
        return
    known = {server.server_id: server for server in found}
    for row in rows:
        lease.must_be_held()
        server = known.get(row.reversed_server_id)
        if server is None:
            said = f"DRS in {'/'.join(place)} does not list {row.reversed_server_id}."
            tolerating_races(partial(not_told, [row], said))
        else:
            tolerating_races(partial(_take_in, row, server.raw, row.failback_state))


def _unanswered(rows: Sequence[FailbackInstance], error: AwsError, failed: list[AwsError]) -> None:
    if error.failure == Failure.CREDENTIALS:
        forget_sessions()
    failed.append(error)
    not_told(rows, f"AWS does not tell how it stands: {error.detail}")


def _bring_further(
    row: FailbackInstance,
    drs: FailbackDrs,
    listed: Sequence[aws.RecoveryInstance],
    servers: Mapping[str, aws.SourceServer],
    failed: list[AwsError],
) -> None:
    finding = looks.compared(row, listed)
    asked = row.job is not None and row.job.state == JobState.INTENDED
    if finding.outcome == InstanceOutcome.UNKNOWN or (finding.outcome and asked):
        not_told([row], finding.message)
        return
    if finding.outcome is not None:
        settle(row, ReturnState.FAILED, finding.message)
        return
    found = next(each for each in listed if each.instance_id == finding.instance_id)
    _name(row, found)
    if row.origin == Origin.ON_PREMISES:
        _take_in(row, found.raw, looks.of_failback(found))
    elif row.origin == Origin.AWS:
        remember(row, failback_state=looks.of_failback(found))
        if not row.reversed_arn:
            _reverse(row, drs, found, servers.get(row.source_server_id), failed)
    else:
        not_told([row], "DRS does not say where it came from, so the way back is not known.")


def _name(row: FailbackInstance, found: aws.RecoveryInstance) -> None:
    """Keep what DRS tells only now: which instance it is, and where it came from."""
    news: dict[str, Any] = {}
    if not row.instance_id:
        news["instance_id"] = found.instance_id
        WaveServer.objects.filter(pk=row.server_id).update(recovery_instance_id=found.instance_id)
    told = found.raw.get("originEnvironment")
    if not row.origin and told in Origin.values:
        news["origin"] = told
    if news:
        remember(row, sends=True, **news)


def _reverse(
    row: FailbackInstance,
    drs: FailbackDrs,
    found: aws.RecoveryInstance,
    server: aws.SourceServer | None,
    failed: list[AwsError],
) -> None:
    """Ask DRS to reverse the replication, unless it did already, or may be about to."""
    place = _home_of(server)
    if place is None:
        not_told([row], "DRS does not say which account and Region it came from.")
        return
    remember(row, origin_account_id=place[0], origin_region=place[1])
    if not TargetAccount.objects.filter(account_id=place[0]).exists():
        not_told([row], looks.unregistered(place[0]))
        return
    now = timezone.now()
    if row.due_at is not None and row.due_at > now:
        return
    told = str(server.raw.get("reversedDirectionSourceServerArn") or "") if server else ""
    try:
        source = _source_of(told) if told else ""
    except AwsError as error:
        _unanswered([row], error, failed)
        return
    asked = row.reverse_asked_at
    facts = Reversal(
        instance_id=row.instance_id,
        replication_state=str(looks.replication_of(found.raw).get("dataReplicationState") or ""),
        told_arn=told,
        source_of_told=source,
        known_arn=row.known_arn,
        asked=asked is not None,
        settled=asked is not None and now >= asked + settle_time(),
    )
    match reversal(facts):
        case Move.ADOPT:
            _adopt(row, told, said="DRS had reversed it already.")
        case Move.ASK:
            _ask(row, drs, told)
        case Move.WAIT:
            pass


def _home_of(server: aws.SourceServer | None) -> looks.Place | None:
    cloud = server.raw.get("sourceCloudProperties") if server else None
    if not cloud or not cloud.get("originAccountID") or not cloud.get("originRegion"):
        return None
    return str(cloud["originAccountID"]), str(cloud["originRegion"])


def _source_of(arn: str) -> str:
    """The instance that a reversed server replicates from, as DRS tells where that server is;
    empty if it does not.
    """
    scope = looks.scope_of(_place_in(arn))
    if scope is None:
        return ""
    for server in FailbackDrs(scope).source_servers_named([arn.rpartition("/")[2]]):
        hints = server.raw.get("sourceProperties", {}).get("identificationHints", {})
        return str(hints.get("awsInstanceID") or "")
    return ""


def _place_in(arn: str) -> looks.Place:
    """arn:partition:drs:region:account:source-server/id."""
    parts = [*arn.split(":"), "", "", "", "", ""]
    return parts[4], parts[3]


def _ask(row: FailbackInstance, drs: FailbackDrs, told: str) -> None:
    again = row.reverse_asked_at is not None
    # Others wait this long before they ask again. If we stand still for longer, we do not ask.
    before = time.monotonic() + settings.LAUNCH_SETTLE_SECONDS
    if not _about_to_ask(row, told):
        return
    checkpoint("failback.reversing", failback_id=str(row.failback_id))
    try:
        arn = drs.reverse_replication(row.instance_id, before=before)
    except AwsError as error:
        checkpoint("failback.reversal_refused_or_lost", failback_id=str(row.failback_id))
        _not_reversed(row, error, again=again)
        return
    checkpoint("failback.reversal_answered", failback_id=str(row.failback_id))
    _adopt(row, arn, said="DRS has reversed it.")
    checkpoint("failback.reversed", failback_id=str(row.failback_id))


@transaction.atomic
def _about_to_ask(row: FailbackInstance, told: str) -> bool:
    """Write that DRS is asked now, unless somebody has cancelled, left it out, or asked since."""
    failback = Failback.objects.select_for_update().get(pk=row.failback_id)
    if failback.cancel_requested_at is not None:
        return False
    mine = FailbackInstance.objects.filter(
        pk=row.pk, state=row.state, reverse_asked_at=row.reverse_asked_at
    )
    if not mine.select_for_update().exists():
        return False
    asking: dict[str, Any] = {"reverse_asked_at": timezone.now(), "attempts": row.attempts + 1}
    asking["due_at"] = timezone.now() + settle_time()
    if row.reverse_asked_at is None:
        asking["known_arn"] = told
    if row.state == ReturnState.REVERSING:
        remember(row, sends=True, **asking)
    else:
        if row.state != ReturnState.WAITING:
            return False
        settle(row, ReturnState.REVERSING, "DRS is asked to reverse its replication.", **asking)
    return True


def _adopt(row: FailbackInstance, arn: str, *, said: str) -> None:
    """Write down the server that the reversal made where the instance came from."""
    account_id, region = _place_in(arn)
    with transaction.atomic():
        settle(
            row,
            ReturnState.REPLICATING,
            "It has begun to replicate back.",
            reversed_arn=arn,
            reversed_at=timezone.now(),
            origin_account_id=account_id,
            origin_region=region,
            due_at=None,
            refusals=0,
        )
        what = f"{row.server.name} replicates to {account_id}/{region}. {said}"
        note(row.failback.execution, "failback.reversed", what, server=row.server)


def _not_reversed(row: FailbackInstance, error: AwsError, *, again: bool) -> None:
    if error.ambiguous:
        message = f"Whether DRS heard it is not known; looking for it. {error.message}"
        remember(row, sends=True, message=message[:2000])
        return
    if error.failure == Failure.CREDENTIALS:
        forget_sessions()
    passing = passes_by_itself(error)
    if not passing and row.refusals >= TRIES:
        why = f"DRS refused to reverse its replication: {error.message}"
        settle(row, ReturnState.FAILED, why)
        return
    due = timezone.now() + retry_after(row.attempts, error)
    refusals = row.refusals + (0 if passing else 1)
    news: dict[str, Any] = {"due_at": due, "refusals": refusals}
    message = f"DRS is asked again: {error.message}"
    if again or error.failure == Failure.CONFLICT:
        # DRS may have heard it before, and refuse it for that: then the next look tells.
        remember(row, sends=True, message=message[:2000], **news)
    else:
        settle(row, ReturnState.WAITING, message, reverse_asked_at=None, known_arn="", **news)


def _take_in(row: FailbackInstance, raw: dict[str, Any], failback_state: str) -> None:
    """Write what DRS tells of the replication, and whether that is ready."""
    told: dict[str, Any] = looks.replication_of(raw)
    state = str(told.get("dataReplicationState") or "")
    lag = parse_duration(told.get("lagDuration"))
    why = why_not_ready(
        row.origin,
        replication_state=state,
        failback_state=failback_state,
        lag=lag,
        most_lag=timedelta(seconds=settings.FAILBACK_MOST_LAG_SECONDS),
        error=str((told.get("dataReplicationError") or {}).get("error") or ""),
    )
    seen: dict[str, Any] = {
        "looked_at": timezone.now(),
        "replication_state": state,
        "failback_state": failback_state,
        "lag": lag,
        "eta_at": _time(told.get("etaDateTime")),
    }
    wanted = ReturnState.REPLICATING if why else ReturnState.READY
    if row.state == wanted:
        remember(row, message=why[:2000], **seen)
    else:
        settle(row, wanted, why, **seen)


def _time(text: Any) -> datetime | None:
    try:
        return parse_time(text)
    except (TypeError, ValueError):
        return None
