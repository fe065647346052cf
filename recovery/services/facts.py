"""What EC2 tells of the instances that were launched."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from drportal.aws.drs import Drs, RecoveryInstance
from drportal.aws.ec2 import Ec2, Instance
from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.mirror.services import mark
from recovery.engine.options import took_another
from recovery.models import WaveServer
from recovery.services.events import note
from recovery.states import LAUNCHED_WELL, JobState

# For how long they are asked for; after that they stay unknown.
_ASKED_FOR: Final = timedelta(hours=1)
# For how long a launched server waits for others of its job that are being launched.
_IN_COMPANY: Final = timedelta(seconds=10)
NOT_FOUND: Final = "NOT_FOUND"


def wanting(account_id: str, region: str) -> QuerySet[WaveServer]:
    """The launched servers there whose instance we know nothing of yet, and are to ask for. While
    others of their job are launched they wait a little, to be asked for together.
    """
    now = timezone.now()
    since = now - _ASKED_FOR
    in_company = Q(launch_job__state=JobState.STARTED, launched_at__gt=now - _IN_COMPANY)
    return WaveServer.objects.filter(
        Q(state__in=LAUNCHED_WELL) | Q(launched_at__isnull=False),
        Q(finished_at__gt=since) | Q(launched_at__gt=since),
        account_id=account_id,
        region=region,
        facts_at=None,
    ).exclude(in_company)


def fill_in(scope: Scope, told: Sequence[RecoveryInstance] = ()) -> AwsError | None:
    """Ask for what is wanting, except DRS for the instances that it has just `told` of. An error is
    returned, to be shown; it fails no server.
    """
    wanted = wanting(scope.account_id, scope.region)
    servers = list(wanted.select_related("execution", "wave"))
    if not servers:
        return None
    try:
        _find_instances(scope, servers, told)
        known = [server for server in servers if server.recovery_instance_id]
        found = Ec2(scope).instances([server.recovery_instance_id for server in known])
    except AwsError as error:
        return error
    now = timezone.now()
    for server in known:
        _set(server, found.get(server.recovery_instance_id))
        server.facts_at = now
    columns = ["instance_state", "instance_type", "private_ip", "availability_zone", "subnet_id"]
    columns += ["recovery_instance_id", "recovery_point_at", "facts_at"]
    with transaction.atomic():
        WaveServer.objects.bulk_update(known, columns)
        for server in known:
            _say_if_another_point(server)
        mark("WaveStatus", *{server.wave_id for server in known})
    return None


def _find_instances(
    scope: Scope, servers: list[WaveServer], told: Sequence[RecoveryInstance]
) -> None:
    """Set what DRS tells of the instances that their own jobs left behind: id, recovery point."""
    rows = WaveServer.objects.filter(pk__in=[server.pk for server in servers])
    jobs = dict(rows.values_list("pk", "launch_job__drs_job_id"))
    launched = {(server.server_id, jobs[server.pk]): server for server in servers}
    known = {(instance.server_id, instance.job_id) for instance in told}
    asked = sorted({server for server, job in launched if (server, job) not in known})
    for instance in [*told, *Drs(scope).recovery_instances(asked)]:
        server = launched.get((instance.server_id, instance.job_id or "none"))
        if server is not None:
            server.recovery_instance_id = instance.instance_id
            server.recovery_point_at = instance.point_in_time


def _say_if_another_point(server: WaveServer) -> None:
    """What was chosen must not be taken for what was launched."""
    chosen, used = server.chosen_point_at, server.recovery_point_at
    if used is not None and took_another(chosen, used):
        said = (
            f"{server} was to be launched from {server.chosen_point_id}, and DRS says that it has "
            f"the data of {used:%Y-%m-%d %H:%M:%S} UTC."
        )
        note(server.execution, "server.other_point", said, wave=server.wave, server=server)


def _set(server: WaveServer, instance: Instance | None) -> None:
    if instance is None:
        server.instance_state = NOT_FOUND
        return
    server.instance_state = instance.state
    server.instance_type = instance.instance_type
    server.private_ip = instance.private_ip
    server.availability_zone = instance.availability_zone
    server.subnet_id = instance.subnet_id
