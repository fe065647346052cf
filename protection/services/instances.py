"""The recovery-instance sync: what launches have left behind, in every account and Region.

As in the inventory, each stands by itself: one that does not answer keeps its rows and its count,
and only a complete listing removes rows, and only its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from drportal.actor import Actor
from drportal.aws.drs import Drs
from drportal.aws.drs import RecoveryInstance as Listed
from drportal.aws.ec2 import Ec2, Instance
from drportal.aws.errors import AwsError
from drportal.mirror.services import mark
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus, SyncKind
from protection.models import AccountRegion, RecoveryInstance, SyncRun
from protection.rules.facts import fingerprint
from protection.rules.instance_facts import OF_EC2, drs_facts, ec2_facts
from protection.rules.regions import NOT_IN_USE, status_of
from protection.services import asking, sync_runs

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Listing:
    """What DRS and EC2 answered in one account and Region, or why they did not.

    `ec2` is None if EC2 did not answer, which `ec2_error` then explains.
    """

    row: AccountRegion
    found: list[Listed] = field(default_factory=list)
    error: AwsError | None = None
    ec2: dict[str, Instance] | None = None
    ec2_error: AwsError | None = None


@reaches_outside
def sync(*, actor: Actor) -> SyncRun:
    """Bring the recovery instances up to date, and return the run with what it saw.

    Raises SyncAlreadyRunning while another run is alive. AWS's failures end in the run and in the
    rows of the Regions concerned; they are not raised.
    """
    run = sync_runs.begin(SyncKind.RECOVERY_INSTANCES, actor=actor)
    tally, alive = sync_runs.Tally(), sync_runs.Pulse(run)
    unchanged: list[AccountRegion] = []
    try:
        rows, tally.scopes_skipped = asking.due_regions()
        for listing in asking.ask_all(rows, _list, alive=alive):
            _take_in(listing, tally, unchanged)
        now = timezone.now()
        answered = AccountRegion.objects.filter(pk__in=[row.pk for row in unchanged])
        answered.update(instances_listed_at=now)
    except BaseException:
        sync_runs.fail(run, tally, actor=actor)
        raise
    return sync_runs.finish(run, tally, actor=actor)


def _list(row: AccountRegion) -> Listing:
    scope = row.account.scope(row.region)
    try:
        found = Drs(scope).all_recovery_instances()
    except AwsError as error:
        return Listing(row, error=error)
    if not found:
        return Listing(row, ec2={})
    try:
        ec2 = Ec2(scope).instances([each.instance_id for each in found])
    except AwsError as error:
        return Listing(row, found, ec2_error=error)
    return Listing(row, found, ec2=ec2)


def _take_in(listing: Listing, tally: sync_runs.Tally, unchanged: list[AccountRegion]) -> None:
    row = listing.row
    if listing.error is not None:
        _note_error(row, listing.error, tally)
        return
    tally.scopes_listed += 1
    tally.seen += len(listing.found)
    message = ""
    if listing.ec2_error is not None:
        message = f"EC2: {listing.ec2_error.message}"
        tally.failed += len(listing.found)
        tally.cannot(**_where(row), status=status_of(listing.ec2_error).value, message=message)
    with transaction.atomic():
        _write(listing, tally)
        if _says(row) == (RegionStatus.ACTIVE, message, len(listing.found)):
            unchanged.append(row)
            return
        row.instance_status, row.instance_message = RegionStatus.ACTIVE, message
        row.instance_count, row.instances_listed_at = len(listing.found), timezone.now()
        _save(row, "instance_count", "instances_listed_at")


def _note_error(row: AccountRegion, error: AwsError, tally: sync_runs.Tally) -> None:
    status = status_of(error)
    if status in NOT_IN_USE and row.instances_listed_at is None:
        tally.scopes_without_drs += 1
    else:
        tally.scopes_failed += 1
        tally.cannot(**_where(row), status=status.value, message=error.message)
    if (row.instance_status, row.instance_message) == (status, error.message):
        return
    row.instance_status, row.instance_message = status, error.message
    with transaction.atomic():
        _save(row)


def _where(row: AccountRegion) -> dict[str, str]:
    return {"account": row.account.account_id, "region": row.region}


def _says(row: AccountRegion) -> tuple[str, str, int | None]:
    return row.instance_status, row.instance_message, row.instance_count


def _save(row: AccountRegion, *columns: str) -> None:
    row.save(update_fields=["instance_status", "instance_message", *columns])
    mark("RegionStatus", row.pk)


def _write(listing: Listing, tally: sync_runs.Tally) -> None:
    row = listing.row
    here = RecoveryInstance.objects.filter(account=row.account_id, region=row.region)
    known = {each.instance_id: each for each in here}
    now = timezone.now()
    new, changed, written = [], [], [*OF_EC2]
    for found in listing.found:
        columns = _columns(found, known, listing.ec2)
        instance = known.get(found.instance_id)
        if instance is not None and instance.fingerprint == fingerprint(columns):
            continue
        if instance is None:
            instance = RecoveryInstance(
                account_id=row.account_id, region=row.region, instance_id=found.instance_id
            )
            new.append(instance)
        else:
            changed.append(instance)
        written = list(columns)
        for name, value in {**columns, "fingerprint": fingerprint(columns)}.items():
            setattr(instance, name, value)
        instance.changed_at = now
    RecoveryInstance.objects.bulk_create(new, batch_size=_BATCH)
    columns_written = [*written, "fingerprint", "changed_at"]
    RecoveryInstance.objects.bulk_update(changed, columns_written, batch_size=_BATCH)
    gone = _gone(listing.found, known)
    here.filter(pk__in=gone).delete()
    mark("RecoveryInstanceInventory", *(each.pk for each in [*new, *changed]), *gone)
    tally.added += len(new)
    tally.changed += len(changed)
    tally.removed += len(gone)


def _columns(
    found: Listed,
    known: Mapping[str, RecoveryInstance],
    ec2: Mapping[str, Instance] | None,
) -> dict[str, Any]:
    before = known.get(found.instance_id) or RecoveryInstance()
    kept = {name: getattr(before, name) for name in OF_EC2}
    told = kept if ec2 is None else ec2_facts(ec2.get(found.instance_id), kept)
    return {**drs_facts(found), **told}


def _gone(found: Sequence[Listed], known: Mapping[str, RecoveryInstance]) -> list[Any]:
    listed = {each.instance_id for each in found}
    return [each.pk for instance_id, each in known.items() if instance_id not in listed]
