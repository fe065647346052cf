"""Starting a part of a plan over the API."""

import pytest

from recovery.models import Execution, Preflight, ServerClaim
from recovery.states import PreflightState
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import PreflightFactory, plan_of

PLANS = "/api/v1/recovery-plans"
EXECUTIONS = "/api/v1/executions"
POINT = "pit-0123456789abcdef0"
pytestmark = pytest.mark.django_db


@pytest.fixture
def two_waves():
    return plan_of(ProtectionGroupFactory.create(), ProtectionGroupFactory.create())


def server_of(plan, position: int) -> str:
    [entry] = plan.waves.get(position=position).entries.all()
    server_id: str = entry.group.members.get().server.server_id
    return server_id


def test_a_part_is_looked_at_and_started_and_told(root, two_waves):
    last = server_of(two_waves, 2)
    options = {"from_wave": 2, "points": {last: POINT}}
    response = root.post(f"{PLANS}/{two_waves.pk}/preflight", options)
    assert (response.status_code, response.json()["options"]) == (202, options)
    assert Preflight.objects.get(state=PreflightState.RUNNING).options == options
    found = {f"100000000000/us-east-1/{last}": {"id": POINT, "at": "2026-11-25T03:00:00+00:00"}}
    done = PreflightFactory.create(plan=two_waves, options=options, points=found)
    [point] = root.get(f"{PLANS}/{two_waves.pk}/preflights/{done.pk}").json()["points"]
    assert (point["server_id"], point["point_id"]) == (last, POINT)
    body = {"kind": "DRILL", "ticket": "CHG-4711", **options}
    response = root.post(f"{PLANS}/{two_waves.pk}/execute", body)
    assert response.status_code == 202
    said = response.json()
    assert (said["options"], said["ticket"]) == (options, "CHG-4711")
    assert said["servers"] == {"total": 2, "launched": 0, "failed": 0, "left_out": 1}
    first, second = root.get(f"{EXECUTIONS}/{said['id']}").json()["waves"]
    assert (first["state"], second["state"]) == ("LEFT_OUT", "PENDING")
    assert (first["servers"][0]["in_scope"], second["servers"][0]["in_scope"]) == (False, True)
    assert second["servers"][0]["chosen_point_id"] == POINT
    assert ServerClaim.objects.get().server_id == last


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"from_wave": 0}, "from_wave"),
        ({"from_wave": "2"}, "from_wave"),
        ({"from_wave": 3}, "from_wave"),
        ({"waves": [3]}, "waves"),
        ({"waves": [True]}, "waves"),
        ({"server_ids": ["s-ffffffffffffffff0"]}, "server_ids"),
        ({"points": {"s-ffffffffffffffff0": POINT}}, "points"),
        ({"points": {"s-ffffffffffffffff0": "snap-0123456789abcdef0"}}, "points"),
        ({"not_after": "2026-11-25T03:00:00"}, "not_after"),
        ({"not_after": "yesterday"}, "not_after"),
        ({"not_after": "2199-01-01T00:00:00Z"}, "not_after"),
        ({"ticket": "x" * 201}, "ticket"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_starts_nothing(
    root, two_waves, world, options, field
):
    PreflightFactory.create(plan=two_waves)
    with world.unchanged():
        response = root.post(f"{PLANS}/{two_waves.pk}/execute", {"kind": "DRILL", **options})
    assert response.status_code == 400
    assert {
        each["field"].partition("[")[0].partition(".")[0] for each in response.json()["errors"]
    } == {field}


def test_a_preflight_of_the_whole_plan_does_not_let_a_part_start(root, two_waves, world):
    with world.unchanged():
        response = root.post(
            EXECUTIONS, {"plan_id": str(two_waves.pk), "kind": "DRILL", "waves": [1]}
        )
    assert (response.status_code, response.json()["code"]) == (409, "recovery.preflight_needed")
    assert not Execution.objects.exists()


def test_a_dry_run_tells_what_a_part_would_do_and_changes_nothing(root, two_waves, world):
    with world.unchanged():
        response = root.post(f"{PLANS}/{two_waves.pk}/dry-run", {"from_wave": 2})
    assert response.status_code == 200
    said = response.json()
    assert (said["against"], said["unknown"], said["runs"]) == ("NO_TARGET", 1, 0)
    assert said["reached"] == {"seconds": 0.0, "at_least": True}
    second, first = said["waves"]
    assert (first["position"], first["begin"], first["left_out"]) == (1, None, 1)
    assert (second["position"], second["begin"]) == (2, {"seconds": 0.0, "at_least": False})
    [job] = second["jobs"]
    assert (job["server_ids"], job["unknown"]) == ([server_of(two_waves, 2)], 1)


def test_a_dry_run_of_what_is_not_there_is_refused(root, two_waves):
    response = root.post(f"{PLANS}/{two_waves.pk}/dry-run", {"from_wave": 3})
    assert response.status_code == 400
    assert root.get(f"{PLANS}/{two_waves.pk}/dry-run").status_code == 405
