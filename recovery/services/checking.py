"""Making the checks that are due: some at once, each over within seconds, none in the engine.

A check is leased before it is made; what it found is written under that lease. A worker that dies
leaves a check that another makes again, which does no harm but for commands: see `check_commands`.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from drportal.aws.ec2 import Ec2, InstanceStatus
from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from protection.models import TargetAccount
from recovery.choices import ServerCheckKind
from recovery.engine.checks import Finding, Found
from recovery.models import ServerCheck
from recovery.services import check_commands, check_probes, server_checks
from recovery.services.carrying import at_once, tolerating_races
from recovery.states import ServerCheckState

# Longer than any look can take: the task that looks is ended before.
LEASE = timedelta(seconds=90)
_MOST = 64  # are leased at a time; `at_once` makes eight of them side by side

Place = tuple[str, str]


@reaches_outside
def run_due(*, within: timedelta = timedelta(seconds=10)) -> int:
    """Make what is due until nothing is or the time is up, and return how many were made. Any
    number of these may run at once.
    """
    ends = time.monotonic() + within.total_seconds()
    made = 0
    while time.monotonic() < ends and (taken := _take()):
        checkpoint("checks.leased", count=len(taken))
        at_once(_looks(taken))
        made += len(taken)
    return made


@transaction.atomic
def _take() -> list[ServerCheck]:
    """Checks that are due and that nobody is at, leased."""
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    due = ServerCheck.objects.filter(free, state=ServerCheckState.WAITING, due_at__lte=now)
    rows = due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at")
    taken = list(rows.select_related("server__execution")[:_MOST])
    token = uuid.uuid4()
    ServerCheck.objects.filter(pk__in=[check.pk for check in taken]).update(
        leased_until=now + LEASE, lease_token=token
    )
    for check in taken:
        check.lease_token = token
    return taken


def _looks(taken: Sequence[ServerCheck]) -> list[Callable[[], None]]:
    """What is to be done: one question about all EC2 status checks of a place, and one each."""
    accounts = TargetAccount.objects.in_bulk(
        {check.server.account_id for check in taken}, field_name="account_id"
    )
    looks: list[Callable[[], None]] = []
    statuses: dict[Place, list[ServerCheck]] = {}
    for check in taken:
        server = check.server
        if check.kind == ServerCheckKind.EC2_STATUS and server.recovery_instance_id:
            statuses.setdefault((server.account_id, server.region), []).append(check)
        else:
            account = accounts.get(server.account_id)
            scope = account.scope(server.region) if account else None
            looks.append(partial(_make, check, scope))
    for (account_id, region), checks in statuses.items():
        account = accounts.get(account_id)
        looks.append(partial(_statuses, checks, account.scope(region) if account else None))
    return looks


def _make(check: ServerCheck, scope: Scope | None) -> None:
    try:
        finding = _finding(check, scope)
    except AwsError as error:
        finding = _no_answer(error)
    except check_commands.LeaseGone:
        return
    _write(check, finding)


def _finding(check: ServerCheck, scope: Scope | None) -> Finding:
    server, said = check.server, check.definition
    if not server.recovery_instance_id:
        return Finding(Found.NOT_YET, "Its instance is not known yet.")
    if check.kind == ServerCheckKind.TCP:
        return check_probes.tcp(server.private_ip, said)
    if check.kind == ServerCheckKind.HTTP:
        return check_probes.request(server.private_ip, said)
    if scope is None:
        return Finding(Found.NOT_YET, f"Account {server.account_id} is not registered.")
    return check_commands.look(check, scope)


def _statuses(checks: Sequence[ServerCheck], scope: Scope | None) -> None:
    if scope is None:
        told = Finding(Found.NOT_YET, "Its account is not registered.")
        for check in checks:
            _write(check, told)
        return
    ids = [check.server.recovery_instance_id for check in checks]
    try:
        found = Ec2(scope).statuses(ids)
    except AwsError as error:
        for check in checks:
            _write(check, _no_answer(error))
        return
    for check in checks:
        _write(check, _of_status(found.get(check.server.recovery_instance_id)))


def _of_status(status: InstanceStatus | None) -> Finding:
    if status is None:
        return Finding(Found.NOT_YET, "EC2 does not tell of its instance.")
    told = f"EC2 says: {status.state}, system {status.system}, instance {status.instance}."
    if status.ok:
        return Finding(Found.PASSED, told)
    bad = status.state not in {"pending", "running"} or "impaired" in {
        status.system,
        status.instance,
    }
    return Finding(Found.FAILED if bad else Found.NOT_YET, told)


def _no_answer(error: AwsError) -> Finding:
    """AWS did not tell, which says nothing of the server."""
    wait = timedelta(seconds=min(error.retry_after, 60)) if error.retry_after else None
    return Finding(Found.NOT_YET, f"AWS did not tell: {error.detail}", soon=wait)


def _write(check: ServerCheck, finding: Finding) -> None:
    token = check.lease_token
    assert token is not None  # noqa: S101  # what is made is leased
    tolerating_races(lambda: server_checks.take_in(check.pk, token, finding))
