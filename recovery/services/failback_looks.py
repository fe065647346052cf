"""Looking in DRS at what is to go back: the instances, and the servers that replicate back."""

from collections.abc import Callable, Iterable, Sequence

from drportal.aws import drs as aws
from drportal.aws.drs import Drs
from drportal.aws.scope import Scope
from protection.models import TargetAccount
from recovery.engine.terminating import Finding, Wanted, compare
from recovery.failback_states import Origin
from recovery.models import FailbackInstance, FailbackJob

Place = tuple[str, str]


def by_place(
    rows: Iterable[FailbackInstance], place: Callable[[FailbackInstance], Place]
) -> dict[Place, list[FailbackInstance]]:
    """Instances by account and Region: one look serves all of a place."""
    found: dict[Place, list[FailbackInstance]] = {}
    for row in rows:
        found.setdefault(place(row), []).append(row)
    return found


def here(row: FailbackInstance) -> Place:
    """Where the recovery instance is."""
    return row.server.account_id, row.server.region


def home(row: FailbackInstance) -> Place:
    """Where it came from, once that is known."""
    return row.origin_account_id, row.origin_region


def scope_of(place: Place) -> Scope | None:
    """The way into an account and Region; None if the portal has no such account."""
    account = TargetAccount.objects.filter(account_id=place[0]).first()
    return None if account is None else account.scope(place[1])


def unregistered(account_id: str) -> str:
    """What is said of an account that the portal does not have."""
    return (
        f"Account {account_id} is not registered with the portal. Register it, so that the portal "
        "can work there, or leave the server out."
    )


def there(drs: Drs, rows: Sequence[FailbackInstance]) -> list[aws.RecoveryInstance]:
    """What DRS lists of these servers, and under these ids, right now."""
    found = drs.recovery_instances([row.source_server_id for row in rows])
    known = {instance.instance_id for instance in found}
    missing = [row.instance_id for row in rows if row.instance_id and row.instance_id not in known]
    return [*found, *drs.recovery_instances_named(missing)] if missing else found


def compared(row: FailbackInstance, listed: Sequence[aws.RecoveryInstance]) -> Finding:
    """Whether an instance is there and still what the execution launched."""
    wanted = Wanted(row.source_server_id, row.instance_id, frozenset(row.launch_job_ids))
    return compare(wanted, listed, {})


def of_failback(found: aws.RecoveryInstance) -> str:
    """DRS's word for how the failback of an instance stands; empty if it gives none."""
    return str(found.raw.get("failback", {}).get("state") or "")


def replication_of(raw: dict[str, object]) -> dict[str, object]:
    """The member of a server or an instance that tells of its replication."""
    found = raw.get("dataReplicationInfo")
    return found if isinstance(found, dict) else {}


def same(job: FailbackJob, found: aws.Job) -> bool:
    """Whether a DRS job launches back the servers of `job`, in the way that they go back."""
    wanted = "FAILBACK" if job.origin == Origin.ON_PREMISES else "START_RECOVERY"
    return found.initiated_by == wanted and found.server_ids == frozenset(job.server_ids)


def answer_to(job: FailbackJob, listed: Sequence[aws.Job]) -> aws.Job | None:
    """The job that DRS made of what it was asked: the same servers, and nobody else's."""
    taken = set(
        FailbackJob.objects.filter(
            aws_account_id=job.aws_account_id, region=job.region
        ).values_list("drs_job_id", flat=True)
    )
    free = [
        found
        for found in listed
        if same(job, found) and found.job_id not in taken and found.job_id not in job.known_job_ids
    ]
    return free[-1] if free else None  # newest first: ours is the first after we asked
