"""Who gets in: for each operation on an object, the same person with four sets of permissions."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from protection.permissions import (
    AccountPermission,
    GroupPermission,
    ServerPermission,
    SyncPermission,
)
from recovery.models import Execution
from recovery.permissions import PlanPermission
from tests.api.stage import (
    Stage,
    account_edit,
    drill,
    first_version,
    first_wave,
    group_edit,
    its_check,
    kind,
    made,
    new_schedule,
    nothing,
    owner,
    plan_edit,
    plan_patch,
    real,
    reason,
    recovery,
    restore,
    schedule,
    second_wave,
    third_wave,
    third_wave_again,
)
from tests.factories.protection import (
    SourceServerFactory,
    SyncRunFactory,
)
from tests.factories.recovery import ExecutionFactory
from tests.factories.users import UserFactory, grant

TARGETS = "accounts/targets"
WAVE = "executions/{execution.pk}/waves/2"
pytestmark = pytest.mark.django_db


@pytest.fixture
def stage() -> Stage:
    return made()


# method, path, body, what the permission is on, to see it, to do it, the answer when allowed
ON_AN_OBJECT = [
    ("get", TARGETS + "/{account.pk}", nothing, "account", AccountPermission, "VIEW", 200),
    ("get", TARGETS + "/{account.pk}/capacity", nothing, "account", AccountPermission, "VIEW", 200),
    ("get", TARGETS + "/{account.pk}/regions", nothing, "account", AccountPermission, "VIEW", 200),
    ("patch", TARGETS + "/{account.pk}", account_edit, "account", AccountPermission, "CHANGE", 200),
    ("delete", TARGETS + "/{spare.pk}", nothing, "spare", AccountPermission, "DELETE", 204),
    ("get", "protection-groups/{group.pk}", nothing, "group", GroupPermission, "VIEW", 200),
    ("get", "protection-groups/{group.pk}/servers", nothing, "group", GroupPermission, "VIEW", 200),
    ("put", "protection-groups/{group.pk}", group_edit, "group", GroupPermission, "CHANGE", 200),
    ("patch", "protection-groups/{group.pk}", owner, "group", GroupPermission, "CHANGE", 200),
    *(
        (
            "get",
            f"protection-groups/{{group.pk}}/{part}",
            nothing,
            "group",
            GroupPermission,
            *rest,
        )
        for part, *rest in (("versions", "VIEW", 200), ("versions/1", "VIEW", 200))
    ),
    (
        "post",
        "protection-groups/{group.pk}/resolve",
        nothing,
        "group",
        GroupPermission,
        "VIEW",
        200,
    ),
    (
        "post",
        "protection-groups/{group.pk}/restore",
        first_version,
        "group",
        GroupPermission,
        "CHANGE",
        200,
    ),
    ("delete", "protection-groups/{unused.pk}", nothing, "unused", GroupPermission, "DELETE", 204),
    ("get", "recovery-plans/{plan.pk}", nothing, "plan", PlanPermission, "VIEW", 200),
    ("get", "recovery-plans/{plan.pk}/versions", nothing, "plan", PlanPermission, "VIEW", 200),
    ("put", "recovery-plans/{idle.pk}", plan_edit, "idle", PlanPermission, "CHANGE", 200),
    ("patch", "recovery-plans/{idle.pk}", plan_patch, "idle", PlanPermission, "CHANGE", 200),
    ("delete", "recovery-plans/{idle.pk}", nothing, "idle", PlanPermission, "DELETE", 204),
    ("get", "recovery-plans/{plan.pk}/versions/1", nothing, "plan", PlanPermission, "VIEW", 200),
    ("get", "recovery-plans/{plan.pk}/checks", nothing, "plan", PlanPermission, "VIEW", 200),
    (
        "get",
        "recovery-plans/{plan.pk}/check-existing-instances",
        nothing,
        "plan",
        PlanPermission,
        "VIEW",
        200,
    ),
    (
        "post",
        "recovery-plans/{plan.pk}/check-existing-instances",
        nothing,
        "plan",
        PlanPermission,
        "VIEW",
        200,
    ),
    *(
        ("get", f"recovery-plans/{{plan.pk}}/{part}", nothing, "plan", PlanPermission, "VIEW", 200)
        for part in ("preflight", "preflights")
    ),
    ("post", "recovery-plans/{plan.pk}/dry-run", nothing, "plan", PlanPermission, "VIEW", 200),
    ("post", "recovery-plans/{idle.pk}/restore", restore, "idle", PlanPermission, "CHANGE", 200),
    ("post", "recovery-plans/{idle.pk}/execute", kind, "idle", PlanPermission, "DRILL", 202),
    ("post", "recovery-plans/{idle.pk}/execute", real, "idle", PlanPermission, "RECOVER", 202),
    ("get", "executions/{execution.pk}", nothing, "plan", PlanPermission, "VIEW", 200),
    ("get", "executions/{execution.pk}/events", nothing, "plan", PlanPermission, "VIEW", 200),
    *(
        ("post", f"{WAVE}/{asked}", nothing, "plan", PlanPermission, "STEER", 202)
        for asked in ("poll", "completion")
    ),
    ("get", WAVE + "/status", nothing, "plan", PlanPermission, "VIEW", 200),
    ("get", "executions/{execution.pk}/job-logs", nothing, "plan", PlanPermission, "VIEW", 200),
    ("post", "executions/{execution.pk}/cancel", nothing, "plan", PlanPermission, "STEER", 202),
    ("post", "executions/{execution.pk}/pause", nothing, "plan", PlanPermission, "STEER", 202),
    ("post", "executions/{execution.pk}/resume", nothing, "plan", PlanPermission, "STEER", 202),
    *(
        ("post", f"executions/{{execution.pk}}/{asked}", body, "plan", PlanPermission, "STEER", 202)
        for asked, body in (
            ("retry", second_wave),
            ("skip", first_wave),
            ("extend", third_wave),
            ("check-again", third_wave_again),
            ("pass-check", its_check),
        )
    ),
    ("get", "drill-schedules/{schedule.pk}", nothing, "plan", PlanPermission, "VIEW", 200),
    ("post", "drill-schedules", new_schedule, "plan", PlanPermission, "DRILL", 201),
    ("put", "drill-schedules/{schedule.pk}", schedule, "plan", PlanPermission, "DRILL", 200),
    ("delete", "drill-schedules/{schedule.pk}", nothing, "plan", PlanPermission, "DRILL", 204),
    *(
        ("post", f"drill-schedules/{{schedule.pk}}/{asked}", reason, "plan", PlanPermission, *rest)
        for asked, *rest in (
            ("disable", "DRILL", 200),
            ("enable", "DRILL", 200),
            ("skip-next", "DRILL", 200),
            ("run-now", "DRILL", 202),
        )
    ),
    ("post", "executions", drill, "idle", PlanPermission, "DRILL", 202),
    ("post", "executions", recovery, "idle", PlanPermission, "RECOVER", 202),
]
operations = pytest.mark.parametrize(
    ("method", "path", "body", "on", "permissions", "needed", "answer"),
    ON_AN_OBJECT,
    ids=[f"{row[0]} {row[1]} {row[5]}" for row in ON_AN_OBJECT],
)


def _ask(client: APIClient, method: str, path: str, body: Any, stage: Stage) -> Any:
    url = "/api/v1/" + path.format(**vars(stage))
    return getattr(client, method)(url, body(stage) or {} if method != "get" else None)


@operations
def test_a_permission_on_the_object_is_enough(
    client_of, stage, method, path, body, on, permissions, needed, answer
):
    person = UserFactory.create()
    grant(person, permissions.VIEW, permissions[needed], on=getattr(stage, on))
    person = grant(person, GroupPermission.VIEW, on=stage.group)
    response = _ask(client_of(person), method, path, body, stage)
    assert response.status_code == answer, response.content


@operations
def test_what_one_sees_one_may_not_do_everything_to(
    client_of, stage, world, method, path, body, on, permissions, needed, answer
):
    if needed == "VIEW":
        others: list[str] = []
    else:
        others = [held for held in permissions if held not in (permissions[needed], "VIEW")]
    person = grant(UserFactory.create(), permissions.VIEW, *others, on=getattr(stage, on))
    with world.unchanged():
        response = _ask(client_of(person), method, path, body, stage)
        if needed == "VIEW":
            assert response.status_code == 200
        else:
            assert response.status_code == 403
            assert response.json()["code"] == "forbidden"


@operations
def test_what_one_may_not_see_is_not_there(
    client_of, stage, world, method, path, body, on, permissions, needed, answer
):
    person = UserFactory.create()
    others = {"account": stage.spare, "spare": stage.account, "group": stage.unused}
    others |= {"unused": stage.group, "plan": stage.idle, "idle": stage.plan}
    person = grant(person, permissions.VIEW, permissions[needed], on=others[on])
    with world.unchanged():
        response = _ask(client_of(person), method, path, body, stage)
        assert response.status_code == 404
        assert response.json()["code"] == "not_found"


@operations
def test_nobody_is_asked_who_they_are(
    stage, world, method, path, body, on, permissions, needed, answer
):
    with world.unchanged():
        response = _ask(APIClient(), method, path, body, stage)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Session ")
    assert response.json()["code"] == "not_authenticated"


def test_lists_hold_what_one_may_see(client_of, stage):
    person = grant(UserFactory.create(), AccountPermission.VIEW, on=stage.account)
    grant(person, GroupPermission.VIEW, on=stage.group)
    person = grant(person, PlanPermission.VIEW, on=stage.plan)
    client = client_of(person)
    ExecutionFactory.create(plan=stage.idle)

    def ids(path: str) -> list[str]:
        return sorted(row["id"] for row in client.get(f"/api/v1/{path}").json()["results"])

    assert ids(TARGETS) == [str(stage.account.pk)]
    assert ids("servers") == sorted(str(s.pk) for s in stage.account.servers.all())
    assert ids("protection-groups") == [str(stage.group.pk)]
    assert ids("recovery-plans") == [str(stage.plan.pk)]
    assert ids("executions") == [str(stage.execution.pk)]


def test_who_may_nothing_sees_empty_lists(nobody, stage):
    for path in (
        TARGETS,
        "servers",
        "protection-groups",
        "recovery-plans",
        "executions",
    ):
        response = nobody.get(f"/api/v1/{path}")
        assert (response.status_code, response.json()["results"]) == (200, [])


def test_a_server_is_seen_with_its_account_or_with_all(client_of, stage):
    elsewhere = SourceServerFactory.create()
    everything = client_of(grant(UserFactory.create(), ServerPermission.VIEW))
    with_account = client_of(grant(UserFactory.create(), AccountPermission.VIEW, on=stage.account))
    assert everything.get(f"/api/v1/servers/{elsewhere.pk}").status_code == 200
    assert with_account.get(f"/api/v1/servers/{stage.server.pk}").status_code == 200
    assert with_account.get(f"/api/v1/servers/{elsewhere.pk}").status_code == 404


MAKING = [
    (TARGETS, {"account_id": "123456789012", "name": "new"}, AccountPermission.ADD, 201),
    ("protection-groups", "group", GroupPermission.ADD, 201),
    ("recovery-plans", "plan", PlanPermission.ADD, 201),
    ("sync-runs", {"kind": "INVENTORY"}, SyncPermission.RUN, 202),
]


def _wanted(body: Any, stage: Stage) -> Any:
    free = SourceServerFactory.create(account=stage.account)
    bodies = {
        "group": {
            "name": "new",
            "account": str(stage.account.pk),
            "region": "us-east-1",
            "server_ids": [str(free.pk)],
        },
        "plan": {"name": "new", "waves": [{"name": "one", "group_ids": [str(stage.group.pk)]}]},
    }
    return bodies[body] if isinstance(body, str) else body


def _seeing(stage: Stage) -> Any:
    person = grant(UserFactory.create(), AccountPermission.VIEW, on=stage.account)
    return grant(person, GroupPermission.VIEW, on=stage.group)


@pytest.mark.parametrize(("path", "body", "permission", "answer"), MAKING)
def test_making_needs_the_permission_for_the_kind(client_of, stage, path, body, permission, answer):
    client = client_of(grant(_seeing(stage), permission))
    response = client.post(f"/api/v1/{path}", _wanted(body, stage))
    assert response.status_code == answer, response.content


@pytest.mark.parametrize(("path", "body", "permission", "answer"), MAKING)
def test_making_without_it_makes_nothing(client_of, stage, world, path, body, permission, answer):
    wanted = _wanted(body, stage)
    client = client_of(_seeing(stage))
    with world.unchanged():
        response = client.post(f"/api/v1/{path}", wanted)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


def test_a_group_is_made_in_an_account_that_one_sees(client_of, stage, world):
    wanted = _wanted("group", stage)
    client = client_of(grant(UserFactory.create(), GroupPermission.ADD))
    with world.unchanged():
        response = client.post("/api/v1/protection-groups", wanted)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "unknown_account"


@pytest.mark.parametrize("method", ["post", "put"])
def test_a_plan_is_made_of_groups_that_one_sees(client_of, stage, world, method):
    person = grant(UserFactory.create(), PlanPermission.ADD, PlanPermission.CHANGE)
    client = client_of(grant(person, PlanPermission.VIEW, on=stage.idle))
    path = "recovery-plans" if method == "post" else f"recovery-plans/{stage.idle.pk}"
    with world.unchanged():
        response = getattr(client, method)(f"/api/v1/{path}", plan_edit(stage))
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["field"], error["code"]) == ("waves[0].group_ids", "unknown_group")


def test_syncs_are_seen_with_the_permission_only(client_of, nobody):
    run = SyncRunFactory.create()
    watcher = client_of(grant(UserFactory.create(), SyncPermission.VIEW))
    for path in ("sync-runs", f"sync-runs/{run.pk}"):
        assert watcher.get(f"/api/v1/{path}").status_code == 200
        assert nobody.get(f"/api/v1/{path}").status_code == 403


def test_the_executions_of_a_deleted_plan_need_the_wide_permission(client_of, stage, world):
    Execution.objects.update(plan=None)
    narrow = client_of(
        grant(UserFactory.create(), PlanPermission.VIEW, PlanPermission.STEER, on=stage.plan)
    )
    wide = grant(UserFactory.create(), "recovery.view_execution")
    path = f"/api/v1/executions/{stage.execution.pk}"
    with world.unchanged():
        assert narrow.get(path).status_code == 404
        assert client_of(wide).get(path).json()["plan_id"] is None
        assert client_of(wide).post(f"{path}/cancel", {}).status_code == 403
    steering = client_of(grant(wide, PlanPermission.STEER))
    assert steering.post(f"{path}/cancel", {}).status_code == 202


def test_who_is_not_active_is_nobody(client_of, stage, world):
    person = UserFactory.create(is_superuser=True)
    client = client_of(person)
    person.is_active = False
    person.save()
    with world.unchanged():
        assert client.get("/api/v1/accounts/targets").status_code == 401
