"""Failbacks, as rows: no service is asked."""

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from recovery.failback_states import FAILBACK, FailbackState, Origin, ReturnState
from recovery.models import Execution, Failback, FailbackInstance, FailbackJob
from recovery.states import ExecutionState, Kind
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory


class FailbackFactory(DjangoModelFactory[Failback]):
    """A failback that has just been asked for."""

    class Meta:
        model = Failback

    execution = SubFactory(ExecutionFactory, kind=Kind.RECOVERY, state=ExecutionState.COMPLETED)
    requested_by = "somebody"
    reason = "the fire is out"
    state = FailbackState.REVERSING
    finished_at = LazyAttribute(
        lambda row: timezone.now() if row.state in FAILBACK.terminal else None
    )


class FailbackJobFactory(DjangoModelFactory[FailbackJob]):
    """A launch back that waits for its turn."""

    class Meta:
        model = FailbackJob

    failback = SubFactory(FailbackFactory)
    account = SubFactory(TargetAccountFactory)
    aws_account_id = SelfAttribute("account.account_id")
    account_name = SelfAttribute("account.name")
    region = "us-west-2"
    origin = Origin.AWS


class FailbackInstanceFactory(DjangoModelFactory[FailbackInstance]):
    """An instance that waits to be reversed, and a job of its failback."""

    class Meta:
        model = FailbackInstance

    job = SubFactory(FailbackJobFactory)
    failback = SelfAttribute("job.failback")
    server = SubFactory(
        WaveServerFactory,
        wave=SubFactory(WaveFactory, execution=SelfAttribute("...failback.execution")),
    )
    source_server_id = SelfAttribute("server.server_id")
    instance_id = Sequence(lambda n: f"i-e{n:016x}")
    launch_job_ids = LazyFunction(lambda: ["drsjob-1"])


def returning(execution: Execution, state: str, **each: str) -> Failback:
    """A failback of all servers of an execution; `each` is the state of a server by its name, with
    an underscore for the hyphen. They are READY, looked at just now, unless it says otherwise.
    """
    now = timezone.now()
    failback = FailbackFactory.create(execution=execution, state=state)
    for server in execution.servers.order_by("name"):
        FailbackInstanceFactory.create(
            job=None,
            failback=failback,
            server=server,
            instance_id=server.recovery_instance_id,
            origin=Origin.AWS,
            state=each.get(server.name.replace("-", "_"), ReturnState.READY),
            replication_state="CONTINUOUS",
            looked_at=now,
        )
    return failback
