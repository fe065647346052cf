"""Copying, restoring, comparing, checking and executing plans through the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from protection.models import AccountRegion, RecoveryInstance
from protection.permissions import GroupPermission
from recovery.models import Execution, RecoveryPlan
from recovery.permissions import PlanPermission
from recovery.services import plans
from recovery.services.plans import WaveSpec
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import PreflightFactory, plan_of
from tests.factories.users import UserFactory, grant
from tests.worlds import PERSON

PLANS = "/api/v1/recovery-plans"
pytestmark = pytest.mark.django_db


@pytest.fixture
def group():
    server = SourceServerFactory.create()
    more = SourceServerFactory.create(account=server.account)
    return ProtectionGroupFactory.create(account=server.account, servers=[server, more])


@pytest.fixture
def ids(group):
    return sorted(member.server.server_id for member in group.members.all())


def _wave(group, **more):
    return {"name": "one", "group_ids": [str(group.pk)], **more}


def _everything(group, ids):
    return {
        "name": "Everything",
        "description": "All of it",
        "owner": "Shop team",
        "rto_minutes": 240,
        "rpo_minutes": 15,
        "notification_addresses": ["a@example.com"],
        "tags": {"dr:priority": "high"},
        "waves": [
            _wave(
                group,
                wait_minutes=5,
                success_threshold=50,
                group_servers=[
                    {
                        "group_id": str(group.pk),
                        "server_ids": ids,
                        "optional_server_ids": ids[:1],
                    }
                ],
            )
        ],
    }


def test_all_that_a_plan_may_say(root, group, ids):
    response = root.post(PLANS, _everything(group, ids))
    assert response.status_code == 201, response.content
    said = response.json()
    assert (said["owner"], said["rto_seconds"], said["rpo_seconds"]) == ("Shop team", 14400, 900)
    assert said["notification_addresses"] == ["a@example.com"]
    assert said["tags"] == {"dr:priority": "high"}
    (wave,) = said["waves"]
    assert (wave["wait_minutes"], wave["success_threshold"]) == (5, 50)
    assert wave["groups"] == [
        {
            "id": str(group.pk),
            "name": group.name,
            "server_ids": ids,
            "optional_server_ids": ids[:1],
        }
    ]


@pytest.mark.parametrize(
    ("change", "field", "code", "known_as"),
    [
        ({"name": ""}, "name", "invalid", "INVALID_NAME"),
        (
            {"notification_addresses": ["x"]},
            "notification_addresses[0]",
            "INVALID_EMAIL",
            "INVALID_EMAIL",
        ),
        ({"waves": []}, "waves", "no_waves", "INVALID_WAVE_DATA"),
    ],
)
def test_a_refusal_has_the_references_code_too(root, group, world, change, field, code, known_as):
    with world.unchanged():
        response = root.post(PLANS, {"name": "P", "waves": [_wave(group)], **change})
    problem = response.json()
    assert (response.status_code, problem["error"]) == (400, known_as)
    assert [(row["field"], row["code"]) for row in problem["errors"]] == [(field, code)]


def test_the_references_codes_of_conflicts(root, group, world):
    plan = plan_of(group, name="Taken")
    body = {"name": "TAKEN", "waves": [_wave(group)]}
    with world.unchanged():
        taken = root.post(PLANS, body).json()
        old = root.put(f"{PLANS}/{plan.pk}", {**body, "version": 7}).json()
        unknown = root.post(PLANS, {**body, "waves": [_wave(plan)]}).json()
    assert taken["error"] == "RP_NAME_EXISTS"
    assert (old["error"], old["context"]) == (
        "VERSION_CONFLICT",
        {"expected_version": 7, "current_version": 1},
    )
    assert unknown["error"] == "PG_NOT_FOUND"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"wait_minutes": 1441}, "waves[0].wait_minutes"),
        ({"wait_minutes": -1}, "waves[0].wait_minutes"),
        ({"success_threshold": 0}, "waves[0].success_threshold"),
        ({"success_threshold": 101}, "waves[0].success_threshold"),
        ({"group_servers": [{"server_ids": []}]}, "waves[0].group_servers[0].group_id"),
        ({"waveNumber": 0}, "waves[0].waveNumber"),
    ],
)
def test_waves_that_cannot_be(root, group, world, more, field):
    with world.unchanged():
        response = root.post(PLANS, {"name": "P", "waves": [_wave(group, **more)]})
    assert response.status_code == 400
    assert [row["field"] for row in response.json()["errors"]] == [field]


def test_a_server_that_is_not_in_the_group_is_refused_by_name(root, group, world):
    chosen = [{"group_id": str(group.pk), "server_ids": ["s-nowhere"]}]
    with world.unchanged():
        response = root.post(PLANS, {"name": "P", "waves": [_wave(group, group_servers=chosen)]})
    (error,) = response.json()["errors"]
    assert (error["field"], error["code"]) == ("waves[0].group_servers", "server_not_in_group")
    assert "s-nowhere" in error["message"]


def test_a_patch_leaves_the_rest_as_it_is(root, group, ids):
    made = root.post(PLANS, _everything(group, ids)).json()
    path = f"{PLANS}/{made['id']}"
    said = root.patch(path, {"owner": "Others", "rto_minutes": None}).json()
    times = ("version", "updated_at", "owner", "rto_seconds")
    assert {k: v for k, v in said.items() if k not in times} == {
        k: v for k, v in made.items() if k not in times
    }
    assert (said["owner"], said["rto_seconds"], said["version"]) == ("Others", None, 2)
    assert root.patch(path, {"owner": "Late", "version": 1}).status_code == 409
    whole = root.put(path, {"name": "Everything", "waves": [_wave(group)]}).json()
    assert (whole["owner"], whole["tags"], whole["rpo_seconds"]) == ("", {}, None)
    assert whole["waves"][0]["groups"][0]["server_ids"] == []


def test_a_patch_takes_waves_whole(root, group, world):
    plan = plan_of(group)
    with world.unchanged():
        response = root.patch(f"{PLANS}/{plan.pk}", {"waves": [{"wait_minutes": 5}]})
    fields = {row["field"] for row in response.json()["errors"]}
    assert fields == {"waves[0].name", "waves[0].group_ids"}


def test_a_copy_has_its_own_address(root, group, ids):
    made = root.post(PLANS, _everything(group, ids)).json()
    response = root.post(f"{PLANS}/{made['id']}/copy", {"name": "Copy"})
    assert response.status_code == 201
    said = root.get(response.headers["Location"]).json()
    assert (said["name"], said["version"], said["waves"]) == ("Copy", 1, made["waves"])
    assert root.post(f"{PLANS}/{made['id']}/copy", {"name": "copy"}).status_code == 409


def test_copying_needs_the_permission_to_make_and_to_see_its_groups(client_of, group, world):
    plan = plan_of(group)
    seeing = grant(UserFactory.create(), PlanPermission.VIEW, on=plan)
    path, body = f"{PLANS}/{plan.pk}/copy", {"name": "Copy"}
    with world.unchanged():
        assert client_of(seeing).post(path, body).status_code == 403
        making = client_of(grant(seeing, PlanPermission.ADD))
        refused = making.post(path, body)
        assert refused.json()["errors"][0]["code"] == "unknown_group"
        stranger = UserFactory.create()
        assert client_of(stranger).post(path, body).status_code == 403
    making = client_of(grant(seeing, GroupPermission.VIEW, on=group))
    assert making.post(path, body).status_code == 201


@pytest.fixture
def edited(group):
    """A plan at version 3, whose owner and wave were different before."""
    plan = plans.create(
        name="Plan", owner="first", waves=[WaveSpec("Wave", (group.pk,))], actor=PERSON
    )
    for owner, name in (("second", "Wave"), ("second", "Renamed")):
        plan = plans.edit(
            plan, name="Plan", owner=owner, waves=[WaveSpec(name, (group.pk,))], actor=PERSON
        )
    return plan


def test_a_version_says_what_it_changed_and_what_has_changed_since(root, edited):
    said = root.get(f"{PLANS}/{edited.pk}/versions/2").json()
    assert said["document"]["owner"] == "second"
    assert said["changes"] == {
        "plan": [{"field": "owner", "before": "first", "after": "second"}],
        "waves": [],
    }
    (wave,) = said["changes_until_now"]["waves"]
    assert (wave["position"], wave["what"]) == (1, "CHANGED")
    assert wave["changes"] == [{"field": "name", "before": "Wave", "after": "Renamed"}]
    first = root.get(f"{PLANS}/{edited.pk}/versions/1").json()
    assert first["changes"] is None
    assert root.get(f"{PLANS}/{edited.pk}/versions/9").status_code == 404


def test_an_old_version_is_restored_as_a_new_one(root, edited, world):
    path = f"{PLANS}/{edited.pk}/restore"
    with world.unchanged():
        assert root.post(path, {"number": 9}).status_code == 404
        assert root.post(path, {"number": 1, "version": 2}).status_code == 409
        assert root.post(path, {}).status_code == 400
    said = root.post(path, {"number": 1, "version": 3}).json()
    assert (said["owner"], said["version"], said["waves"][0]["name"]) == ("first", 4, "Wave")


def test_restoring_brings_in_no_group_that_one_does_not_see(client_of, group, world):
    hidden = ProtectionGroupFactory.create()
    plan = plans.create(name="Plan", waves=[WaveSpec("W", (hidden.pk,))], actor=PERSON)
    plans.edit(plan, name="Plan", waves=[WaveSpec("W", (group.pk,))], actor=PERSON)
    person = grant(UserFactory.create(), PlanPermission.VIEW, PlanPermission.CHANGE, on=plan)
    person = grant(person, GroupPermission.VIEW, on=group)
    with world.unchanged():
        response = client_of(person).post(f"{PLANS}/{plan.pk}/restore", {"number": 1})
    assert response.json()["errors"][0]["code"] == "unknown_group"


def test_a_draft_is_checked_and_nothing_is_saved(root, group, world):
    waves = [_wave(group, depends_on=[7], success_threshold=90)]
    with world.unchanged():
        response = root.post(f"{PLANS}/validate", {"name": "", "waves": waves})
    assert response.status_code == 200
    said = response.json()
    assert not said["savable"]
    found = {(row["wave"], row["level"], row["code"]) for row in said["findings"]}
    assert found == {
        (None, "ERROR", "invalid"),
        (1, "ERROR", "unknown_wave"),
        (1, "WARNING", "threshold_without_effect"),
        (1, "WARNING", "no_launch_settings"),
    }
    assert said["waves"] == [{"position": 1, "name": "one", "servers": 2, "jobs": 1}]


def test_a_draft_of_a_plan_may_have_its_name(root, group):
    plan = plan_of(group, name="Plan")
    body = {"name": "PLAN", "waves": [_wave(group)]}
    assert not root.post(f"{PLANS}/validate", body).json()["savable"]
    assert root.post(f"{PLANS}/validate", {**body, "plan_id": str(plan.pk)}).json()["savable"]
    unknown = {**body, "plan_id": str(group.pk)}
    assert root.post(f"{PLANS}/validate", unknown).status_code == 404


def test_checking_a_draft_tells_nothing_of_groups_that_one_does_not_see(client_of, group, world):
    person = UserFactory.create()
    chosen = [{"group_id": str(group.pk), "server_ids": ["s-nowhere"]}]
    body = {"name": "P", "waves": [_wave(group, group_servers=chosen)]}
    with world.unchanged():
        said = client_of(person).post(f"{PLANS}/validate", body).json()
    assert [row["code"] for row in said["findings"]] == ["unknown_group"]
    assert said["waves"][0]["servers"] == 0


def test_the_checks_of_a_plan(root, group):
    said = root.get(f"{PLANS}/{plan_of(group).pk}/checks").json()
    assert said["savable"]
    assert [row["code"] for row in said["findings"]] == ["no_launch_settings"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_instances_that_are_there_already(root, group, method, world):
    """D12: both methods answer. D47: with their age, and unknown is not none."""
    plan = plan_of(group)
    path = f"{PLANS}/{plan.pk}/check-existing-instances"
    with world.unchanged():
        said = getattr(root, method)(path).json()
    assert (said["hasExistingInstances"], said["instanceCount"]) == (None, None)
    assert [(row["listed_at"], row["known"]) for row in said["places"]] == [(None, False)]

    listed = timezone.now() - timedelta(minutes=5)
    AccountRegion.objects.update(
        instance_status="ACTIVE", instances_listed_at=listed, instance_count=0
    )
    said = getattr(root, method)(path).json()
    assert (said["hasExistingInstances"], said["instanceCount"]) == (False, 0)
    assert 300 <= said["places"][0]["age_seconds"] < 400

    server = group.members.first().server
    for number, state in enumerate(("running", "terminated")):
        RecoveryInstance.objects.create(
            account=server.account,
            region=server.region,
            instance_id=f"i-{number}",
            server_id=server.server_id,
            ec2_state=state,
            fingerprint="x",
        )
    said = getattr(root, method)(path).json()
    assert (said["hasExistingInstances"], said["instanceCount"]) == (True, 1)
    assert [row["instance_id"] for row in said["existingInstances"]] == ["i-0"]


def test_executing_a_plan_is_starting_an_execution(root, group, world):
    """D12: the path works. D45: a recovery too."""
    plan = plan_of(group, name="Plan")
    with world.unchanged():
        refused = root.post(f"{PLANS}/{plan.pk}/execute", {"kind": "RECOVERY"})
        assert refused.json()["code"] == "recovery.confirmation_needed"
    response = root.post(
        f"{PLANS}/{plan.pk}/execute", {"kind": "RECOVERY", "confirmation": "Plan", "reason": "Fire"}
    )
    assert response.status_code == 202, response.content
    execution = Execution.objects.get()
    assert response.headers["Location"].endswith(f"/api/v1/executions/{execution.pk}")
    assert root.get(response.headers["Location"]).status_code == 200
    assert (execution.kind, execution.reason) == ("RECOVERY", "Fire")
    with world.unchanged():
        again = root.post(f"{PLANS}/{plan.pk}/execute", {"kind": "DRILL"})
    assert again.json()["code"] == "recovery.plan_already_running"


def test_an_execution_tells_its_timers_thresholds_and_deadline(root, group, ids):
    made = root.post(PLANS, _everything(group, ids)).json()
    PreflightFactory.create(plan=RecoveryPlan.objects.get(pk=made["id"]))
    started = root.post(f"{PLANS}/{made['id']}/execute", {"kind": "DRILL"})
    root.patch(f"{PLANS}/{made['id']}", {"rto_minutes": 1})
    said = root.get(started.headers["Location"]).json()
    (wave,) = said["waves"]
    assert (wave["wait_seconds"], wave["wait_until"], wave["success_threshold"]) == (300, None, 50)
    assert {row["server_id"]: row["critical"] for row in wave["servers"]} == {
        ids[0]: False,
        ids[1]: True,
    }
    assert said["rto_seconds"] == 14400  # of the version that is carried out
    execution = Execution.objects.get()
    deadline = execution.created_at + timedelta(hours=4)
    assert said["rto_deadline_at"] == deadline.isoformat().replace("+00:00", "Z")
    RecoveryPlan.objects.all().delete()
    assert root.get(started.headers["Location"]).json()["rto_deadline_at"] is None
