"""Checks of launched servers, and executions that have some."""

from datetime import timedelta

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, SubFactory
from factory.django import DjangoModelFactory

from recovery.engine.checks import completed
from recovery.models import Execution, LaunchJob, ServerCheck, WaveServer
from recovery.states import (
    ExecutionState,
    Phase,
    ServerCheckState,
    ServerState,
    WaveState,
)
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
)

TCP = completed({"name": "Port", "kind": "TCP", "port": 5432})
SSM = completed({"name": "Ping", "kind": "SSM"})


class ServerCheckFactory(DjangoModelFactory[ServerCheck]):
    """A check that is under way. A state that is an end brings its time along."""

    class Meta:
        model = ServerCheck

    server = SubFactory(WaveServerFactory)
    position = 1
    definition = LazyFunction(lambda: dict(TCP))
    name = LazyAttribute(lambda check: check.definition["name"])
    kind = LazyAttribute(lambda check: check.definition["kind"])
    state = ServerCheckState.WAITING
    deadline_at = LazyFunction(lambda: timezone.now() + timedelta(minutes=10))
    finished_at = LazyAttribute(
        lambda check: None if check.state == ServerCheckState.WAITING else timezone.now()
    )


def failed_by_its_check(
    *, state: str = ServerCheckState.FAILED, check: dict[str, object] | None = None, **more: object
) -> tuple[Execution, WaveServer]:
    """An execution that has ended because the only server of its first wave did not pass its
    check; its second wave, with one server, was blocked by that.
    """
    execution = ExecutionFactory.create(state=ExecutionState.FAILED)
    said = check or TCP
    wave = WaveFactory.create(execution=execution, state=WaveState.FAILED, checks=[said])
    now = timezone.now()
    job = LaunchJobFactory.create(wave=wave, state="ENDED", drs_job_id="drsjob-1")
    server = WaveServerFactory.create(
        wave=wave,
        state=ServerState.FAILED if state == ServerCheckState.FAILED else ServerState.UNKNOWN,
        phase=Phase.DONE,
        recovery_instance_id="i-0123456789abcdef0",
        launched_at=now - timedelta(minutes=5),
        finished_at=now,
        launch_job=job,
        account_id=job.aws_account_id,
    )
    LaunchJob.objects.filter(pk=job.pk).update(server_ids=[server.server_id])
    ServerCheckFactory.create(server=server, state=state, definition=said, attempts=3, **more)
    after = WaveFactory.create(
        execution=execution, position=2, depends_on=[1], state=WaveState.BLOCKED
    )
    WaveServerFactory.create(wave=after, state=ServerState.BLOCKED, finished_at=now)
    return execution, server
