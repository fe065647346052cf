"""What was chosen at a start outlives the portal."""

import pytest

from drportal.aws.drs import Drs
from recovery.engine.options import StartOptions
from recovery.models import Execution, LaunchJob, ServerClaim
from recovery.services import executions
from recovery.states import ExecutionState, JobState, Kind
from tests.factories.recovery import PreflightFactory
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.mirror.test_restore_in_flight import lost_and_rebuilt
from tests.worlds import (
    PERSON,
    group_of,
    known,
    launches,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of([server("db-0"), server("web-0")])
    made = Store()
    registered()
    yield plan_of(wave("first", group_of("db")), wave("second", group_of("web"), depends_on=(1,)))
    made.close()


@pytest.mark.parametrize("lost_at", [JobState.QUEUED, JobState.INTENDED, JobState.STARTED])
def test_a_restored_execution_launches_what_was_chosen_from_the_chosen_point(
    plan, driver, monkeypatch, lost_at
):
    row = known("web-0")
    point = list(Drs(row.account.scope(row.region)).recovery_points(row.server_id))[2]
    options = StartOptions(
        from_wave=2, points={row.server_id: point.snapshot_id}, ticket="CHG-4711"
    )
    found = {f"{row.account.account_id}/{row.region}/{row.server_id}": point}
    points = {key: {"id": at.snapshot_id, "at": at.at.isoformat()} for key, at in found.items()}
    PreflightFactory.create(plan=plan, options=options.as_dict(), points=points)
    execution = executions.start(plan, kind=Kind.DRILL, options=options, actor=PERSON)
    if lost_at != JobState.QUEUED:
        asked = monkeypatch.context()
        with asked as patch:
            if lost_at == JobState.INTENDED:
                patch.setattr("recovery.services.launches.adopt", lambda *_, **__: None)
            driver.step(execution)
        assert LaunchJob.objects.get().state == lost_at
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    assert (execution.options, execution.ticket) == (options.as_dict(), "CHG-4711")
    left, chosen = execution.servers.order_by("name")
    assert (left.in_scope, left.state, chosen.in_scope) == (False, "LEFT_OUT", True)
    assert (chosen.chosen_point_id, chosen.chosen_point_at) == (point.snapshot_id, point.at)
    # What was not chosen is not held after a restore either.
    held = ServerClaim.objects.filter(released_at=None).values_list("server_id", flat=True)
    assert list(held) == [row.server_id]
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    [call] = launches()
    assert call.params["sourceServers"] == [
        {"sourceServerID": row.server_id, "recoverySnapshotID": point.snapshot_id}
    ]
    drain_all()
    both_sides_equal()
