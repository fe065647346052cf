import pytest

from recovery.models import PlanVersion, RecoveryPlan
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import ExecutionFactory, plan_of

PLANS = "/api/v1/recovery-plans"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
pytestmark = pytest.mark.django_db


@pytest.fixture
def group():
    return ProtectionGroupFactory.create()


def _wave(group, **more):
    return {"name": "one", "group_ids": [str(group.pk)], **more}


def test_making_a_plan(root, group):
    other = ProtectionGroupFactory.create()
    waves = [
        _wave(group, time_limit_minutes=30),
        {
            "name": " two ",
            "group_ids": [str(other.pk)],
            "depends_on": [1],
            "gate": True,
            "gate_instructions": "Look first.",
        },
    ]
    response = root.post(PLANS, {"name": "Everything", "waves": waves})
    assert response.status_code == 201
    said = response.json()
    assert (said["name"], said["version"]) == ("Everything", 1)
    first, second = said["waves"]
    assert (first["time_limit_minutes"], first["gate"]) == (30, False)
    assert first["groups"] == [
        {"id": str(group.pk), "name": group.name, "server_ids": [], "optional_server_ids": []}
    ]
    assert (second["position"], second["name"], second["depends_on"]) == (2, "two", [1])
    assert (second["gate"], second["gate_instructions"]) == (True, "Look first.")
    assert second["time_limit_minutes"] == 60
    assert root.get(response.headers["Location"]).json() == said


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": ""}, "name", "invalid"),
        ({"name": "n" * 65}, "name", "invalid"),
        ({"colour": "red"}, "colour", "unknown_field"),
        ({"waves": []}, "waves", "no_waves"),
        ({"waves": None}, "waves", "null"),
        ({"waves": {}}, "waves", "not_a_list"),
        ({"waves": [5]}, "waves[0]", "invalid"),
        ({"waves": ["+", {"colour": 1}]}, "waves[1].colour", "unknown_field"),
        ({"waves": ["+", {"name": ""}]}, "waves[1].name", "blank"),
        ({"waves": ["+", {"group_ids": []}]}, "waves[1].group_ids", "no_groups"),
        ({"waves": ["+", {"group_ids": [UNKNOWN]}]}, "waves[1].group_ids", "unknown_group"),
        ({"waves": ["+", {"group_ids": [5]}]}, "waves[1].group_ids[0]", "invalid"),
        ({"waves": ["+", {}]}, "waves[1].group_ids", "group_twice"),
        ({"waves": [{"depends_on": [1]}]}, "waves", "cycle"),
        ({"waves": [{"depends_on": [9]}]}, "waves[0].depends_on", "unknown_wave"),
        ({"waves": [{"depends_on": [0]}]}, "waves[0].depends_on[0]", "min_value"),
        ({"waves": [{"depends_on": ["1"]}]}, "waves[0].depends_on[0]", "invalid"),
        ({"waves": [{"gate": "yes"}]}, "waves[0].gate", "invalid"),
        ({"waves": [{"time_limit_minutes": 0}]}, "waves[0].time_limit_minutes", "min_value"),
        ({"waves": [{"time_limit_minutes": 10081}]}, "waves[0].time_limit_minutes", "max_value"),
        (
            {"waves": [{"gate_instructions": "x" * 1001}]},
            "waves[0].gate_instructions",
            "max_length",
        ),
    ],
)
def test_a_plan_that_cannot_be(root, group, world, change, field, code):
    waves = change.get("waves")
    if waves and waves != [5]:
        change = {"waves": [_wave(group) | (wave if wave != "+" else {}) for wave in waves]}
    with world.unchanged():
        response = root.post(PLANS, {"name": "P", "waves": [_wave(group)], **change})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    errors = [(error["field"], error["code"]) for error in response.json()["errors"]]
    assert (field, code) in errors
    assert len(errors) == 1


def test_waves_that_wait_for_each_other_are_told_in_a_circle(root, group, world):
    groups = ProtectionGroupFactory.create_batch(3)
    waves = [_wave(held, depends_on=[need]) for held, need in zip(groups, (3, 1, 2), strict=True)]
    with world.unchanged():
        response = root.post(PLANS, {"name": "P", "waves": waves})
    (error,) = response.json()["errors"]
    assert error["code"] == "cycle"
    assert "→" in error["message"]


def test_a_name_is_taken_in_any_case(root, group, world):
    plan_of(name="Everything")
    with world.unchanged():
        response = root.post(PLANS, {"name": "EVERYTHING", "waves": [_wave(group)]})
    assert (response.status_code, response.json()["code"]) == (409, "recovery.plan_name_taken")


def test_a_change_is_a_new_version_and_the_old_one_stays(root, group):
    plan = plan_of(group, name="Before")
    path = f"{PLANS}/{plan.pk}"
    said = root.put(path, {"name": "After", "version": 1, "waves": [_wave(group)]}).json()
    assert (said["name"], said["version"]) == ("After", 2)
    versions = root.get(f"{path}/versions").json()["results"]
    assert [(row["number"], row["document"]["name"]) for row in versions] == [
        (2, "After"),
        (1, "Before"),
    ]
    assert versions[0]["created_by"] == "root"


@pytest.mark.parametrize("version", [2, 7])
def test_a_change_that_was_meant_for_another_version(root, group, world, version):
    plan = plan_of(group)
    body = {"name": "After", "version": version, "waves": [_wave(group)]}
    with world.unchanged():
        response = root.put(f"{PLANS}/{plan.pk}", body)
    assert (response.status_code, response.json()["code"]) == (409, "recovery.plan_changed")


def test_of_two_who_change_a_plan_one_is_told(root, group):
    plan = plan_of(group)
    body = {"version": 1, "waves": [_wave(group)]}
    answers = [root.put(f"{PLANS}/{plan.pk}", {**body, "name": name}) for name in ("A", "B")]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert RecoveryPlan.objects.get().name == "A"


def test_a_plan_that_runs_stays(root, world):
    execution = ExecutionFactory.create(plan=plan_of())
    with world.unchanged():
        response = root.delete(f"{PLANS}/{execution.plan_id}")
    assert (response.status_code, response.json()["code"]) == (409, "recovery.plan_is_running")


def test_a_deleted_plan_leaves_its_executions(root):
    plan = plan_of()
    execution = ExecutionFactory.create(plan=plan, state="COMPLETED")
    assert root.delete(f"{PLANS}/{plan.pk}").status_code == 204
    assert root.get(f"{PLANS}/{plan.pk}").status_code == 404
    said = root.get(f"/api/v1/executions/{execution.pk}").json()
    assert (said["plan_id"], said["plan_name"]) == (None, plan.name)
    assert not PlanVersion.objects.exists()


@pytest.mark.parametrize(
    ("query", "count"), [("search=ALPH", 2), ("name=Alpha", 2), ("nameExact=Alpha", 1), ("", 3)]
)
def test_filters_of_plans(root, query, count):
    for name in ("alpha", "alphabet", "beta"):
        plan_of(name=name)
    assert len(root.get(f"{PLANS}?{query}").json()["results"]) == count
