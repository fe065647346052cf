"""Taking executions up again after a restore: what the mirror tells may be older than the truth.

So an execution that was under way carries `restored_at`, and until it ends no launch of it is
asked for before it has been looked whether DRS did it already.
"""

from collections.abc import Iterator, Sequence

from django.db.models import Q
from django.utils import timezone

from protection.models import GroupHold, ProtectionGroup, TargetAccount
from recovery.models import AccountClaim, Execution, JobWatch, LaunchJob, ServerClaim
from recovery.services.events import note
from recovery.states import EXECUTION, JOB, JobState, WaveState


def take_up_again() -> None:
    """Give executions that had not ended, or whose jobs DRS still works on, what they need to go
    on: their servers, their groups, somebody who watches, and a line in their timeline.
    """
    live = Q(state__in=sorted(EXECUTION.active)) | Q(jobs__state__in=sorted(JOB.active))
    # The newest first: should two say that they hold a server, the older had let go of it.
    found = Execution.objects.filter(live).distinct().order_by("-created_at")
    for execution in found.prefetch_related("servers", "jobs", "waves"):
        claims = list(_claims(execution))
        ServerClaim.objects.bulk_create(claims, ignore_conflicts=True)
        AccountClaim.objects.bulk_create(_account_claims(execution, claims), ignore_conflicts=True)
        if execution.state in EXECUTION.active:
            GroupHold.objects.bulk_create(_holds(execution), ignore_conflicts=True)
            now = timezone.now()
            Execution.objects.filter(pk=execution.pk).update(restored_at=now, due_at=now)
            note(execution, "execution.restored", "Restored from the mirror.")
        _watch(execution)


def _claims(execution: Execution) -> Iterator[ServerClaim]:
    live = [job for job in execution.jobs.all() if job.state in JOB.active]
    busy = {(j.aws_account_id, j.region, server) for j in live for server in j.server_ids}
    for server in execution.servers.all():
        key = (server.account_id, server.region, server.server_id)
        held = execution.state in EXECUTION.active and server.in_scope
        if held or key in busy:
            yield ServerClaim(
                execution=execution,
                account_id=server.account_id,
                region=server.region,
                server_id=server.server_id,
            )


def _account_claims(execution: Execution, claims: Sequence[ServerClaim]) -> Iterator[AccountClaim]:
    """An account stays as long as an execution holds servers of it."""
    ids = {claim.account_id for claim in claims}
    for account in TargetAccount.objects.filter(account_id__in=ids):
        yield AccountClaim(execution=execution, account=account)


def _holds(execution: Execution) -> Iterator[GroupHold]:
    """The groups of waves that have yet to start. They kept their names, because they were held."""
    to_come = {WaveState.PENDING, WaveState.WAITING}
    waves = [wave for wave in execution.waves.all() if wave.state in to_come]
    names = {name for wave in waves for name in wave.group_names}
    for group in ProtectionGroup.objects.filter(name__in=names):
        yield GroupHold(group=group, holder_id=execution.pk, holder=str(execution)[:255])


def _watch(execution: Execution) -> None:
    now = timezone.now()
    jobs = LaunchJob.objects.filter(execution=execution, state=JobState.STARTED)
    for account, region in jobs.order_by().values_list("account_id", "region").distinct():
        watch, _ = JobWatch.objects.get_or_create(account_id=account, region=region)
        JobWatch.objects.filter(pk=watch.pk).update(due_at=now, changed_at=now)
    jobs.update(due_at=None)
