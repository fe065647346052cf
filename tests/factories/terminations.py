"""Clean-ups, as rows, and executions that may be cleaned up: no service is asked."""

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from recovery.models import (
    Execution,
    Termination,
    TerminationInstance,
    TerminationJob,
    WaveServer,
)
from recovery.states import (
    TERMINATION,
    ExecutionState,
    InstanceOutcome,
    JobState,
    Kind,
    ServerState,
    TerminationState,
)
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
)


class TerminationFactory(DjangoModelFactory[Termination]):
    """A clean-up that has just been asked for."""

    class Meta:
        model = Termination

    execution = SubFactory(ExecutionFactory, state=ExecutionState.COMPLETED)
    requested_by = "somebody"
    state = TerminationState.RUNNING
    finished_at = LazyAttribute(
        lambda row: timezone.now() if row.state in TERMINATION.terminal else None
    )


class TerminationJobFactory(DjangoModelFactory[TerminationJob]):
    """A termination job that waits for its turn."""

    class Meta:
        model = TerminationJob

    termination = SubFactory(TerminationFactory)
    account = SubFactory(TargetAccountFactory)
    aws_account_id = SelfAttribute("account.account_id")
    account_name = SelfAttribute("account.name")
    region = "us-east-1"


class TerminationInstanceFactory(DjangoModelFactory[TerminationInstance]):
    """An instance that waits for its end."""

    class Meta:
        model = TerminationInstance

    job = SubFactory(TerminationJobFactory)
    termination = SelfAttribute("job.termination")
    server = SubFactory(
        WaveServerFactory,
        wave=SubFactory(WaveFactory, execution=SelfAttribute("...termination.execution")),
    )
    source_server_id = SelfAttribute("server.server_id")
    instance_id = Sequence(lambda n: f"i-f{n:016x}")
    launch_job_ids = LazyFunction(lambda: ["drsjob-1"])


def launched(kind: str = Kind.DRILL, state: str = ExecutionState.COMPLETED) -> Execution:
    """An execution that has launched two servers."""
    execution = ExecutionFactory.create(kind=kind, state=state)
    account = TargetAccountFactory.create()
    job = LaunchJobFactory.create(
        wave=WaveFactory.create(execution=execution),
        account=account,
        state=JobState.ENDED,
        drs_job_id=f"drsjob-{execution.pk.hex[:17]}",
    )
    for number in (1, 2):
        WaveServerFactory.create(
            wave=job.wave,
            account_id=account.account_id,
            name=f"app-{number}",
            launch_job=job,
            state=ServerState.LAUNCHED,
            recovery_instance_id=f"i-{number:017x}",
        )
    job.server_ids = sorted(execution.servers.values_list("server_id", flat=True))
    job.save()
    return execution


def ended(execution: Execution) -> Termination:
    """A clean-up of it that left one of the two."""
    server, other = execution.servers.order_by("name")
    termination = TerminationFactory.create(execution=execution, state=TerminationState.INCOMPLETE)
    job = TerminationJobFactory.create(
        termination=termination, state=JobState.ENDED, drs_job_id="drsjob-2", due_at=None
    )
    now = timezone.now()
    found = (
        (server, InstanceOutcome.TERMINATED, ""),
        (other, InstanceOutcome.FAILED, "it is protected"),
    )
    for row, outcome, why in found:
        TerminationInstanceFactory.create(
            job=job, server=row, state=outcome, message=why, finished_at=now
        )
    WaveServer.objects.filter(pk=server.pk).update(instance_gone_at=now)
    return termination
