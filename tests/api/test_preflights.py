"""Preflights over the API, and starting despite one."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditRecord
from recovery.engine.preflight import Check
from recovery.models import Execution, Preflight
from recovery.permissions import PREFLIGHT, PlanPermission
from recovery.states import CheckOutcome, PreflightState
from tests.factories.recovery import PreflightFactory, plan_of
from tests.factories.users import UserFactory, grant

PLANS = "/api/v1/recovery-plans"
EXECUTIONS = "/api/v1/executions"
pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(monkeypatch):
    """What workers are asked for."""
    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        "drportal.jobs.current_app.send_task",
        lambda task, *, kwargs, **_: sent.append((task, kwargs)),
    )
    return sent


def blocked(plan) -> Preflight:
    """A preflight that keeps the plan from being started."""
    found = PreflightFactory.create(
        plan=plan,
        outcome=CheckOutcome.FAILED,
        score=70,
        checks=[
            Check("servers", CheckOutcome.PASSED, "Each wave launches servers.").as_dict(),
            Check(
                "replication",
                CheckOutcome.FAILED,
                "db-1: its replication is stopped.",
                "Mend it.",
                1,
                "databases",
                "111122223333",
                "us-east-1",
                ("s-1",),
                timezone.now(),
            ).as_dict(),
        ],
    )
    assert isinstance(found, Preflight)
    return found


@pytest.mark.django_db(transaction=True)
def test_a_preflight_is_asked_for_and_followed(root, plan, asked):
    Preflight.objects.all().delete()
    assert root.get(f"{PLANS}/{plan.pk}/preflight").status_code == 404
    response = root.post(f"{PLANS}/{plan.pk}/preflight")
    found = Preflight.objects.get()
    assert response.status_code == 202
    where = f"{PLANS}/{plan.pk}/preflights/{found.pk}"
    assert response.headers["Location"].endswith(where)
    assert asked == [("recovery.carry_out_preflight", {"preflight_id": str(found.pk)})]
    said = root.get(where).json()
    assert said == response.json() == root.get(f"{PLANS}/{plan.pk}/preflight").json()
    assert (said["state"], said["outcome"], said["score"], said["checks"]) == (
        "RUNNING",
        None,
        None,
        [],
    )
    assert (said["requested_by"], said["plan_id"]) == ("root", str(plan.pk))
    record = AuditRecord.objects.get(event="recovery.preflight.requested")
    assert (record.actor_name, record.subject_id) == ("root", str(plan.pk))


def test_what_blocks_comes_first_with_what_to_do_and_what_it_costs(root, plan):
    found = blocked(plan)
    said = root.get(f"{PLANS}/{plan.pk}/preflights/{found.pk}").json()
    assert (said["outcome"], said["score"], said["state"]) == ("FAILED", 70, "DONE")
    assert [check["code"] for check in said["checks"]] == ["replication", "servers"]
    first, last = said["checks"]
    assert (first["remedy"], first["wave"], first["server_ids"]) == ("Mend it.", 1, ["s-1"])
    assert (first["account_id"], first["region"]) == ("111122223333", "us-east-1")
    assert (last["remedy"], last["wave"], last["account_id"], last["facts_at"]) == (None,) * 4
    assert said["lowered_by"] == [{"code": "replication", "outcome": "FAILED", "points": 30}]


def test_one_at_a_time(root, plan, world):
    first = root.post(f"{PLANS}/{plan.pk}/preflight").json()
    with world.unchanged():
        response = root.post(f"{PLANS}/{plan.pk}/preflight")
    said = response.json()
    assert (response.status_code, said["code"]) == (409, "recovery.preflight_already_running")
    assert said["context"] == {"preflight_id": first["id"]}


def test_the_history_comes_in_pages_newest_first_and_costs_the_same(root, plan):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert root.get(f"{PLANS}/{plan.pk}/preflights").status_code == 200
        return len(asked)

    queries()
    few = queries()
    for n in range(1, 60):
        at = timezone.now() - timedelta(hours=n)
        PreflightFactory.create(plan=plan, created_at=at, digest="")
    assert queries() == few
    page = root.get(f"{PLANS}/{plan.pk}/preflights?page_size=2").json()
    times = [row["created_at"] for row in page["results"]]
    assert times == sorted(times, reverse=True)
    assert "checks" not in page["results"][0]
    assert len(root.get(page["next"]).json()["results"]) == 2


def test_another_plans_preflight_is_not_there(root, plan):
    other = plan_of()
    found = Preflight.objects.get(plan=other)
    assert root.get(f"{PLANS}/{plan.pk}/preflights/{found.pk}").status_code == 404


@pytest.mark.parametrize("path", ["preflight", "preflights", "preflights/{pk}"])
def test_what_one_may_not_see_has_no_preflights(nobody, plan, path):
    found = Preflight.objects.get()
    assert nobody.get(f"{PLANS}/{plan.pk}/{path.format(pk=found.pk)}").status_code == 404


@pytest.mark.parametrize("permission", sorted(PREFLIGHT))
def test_whoever_may_start_or_steer_it_may_have_it_looked_at(client_of, plan, permission):
    person = grant(UserFactory.create(), permission, on=plan)
    assert client_of(person).post(f"{PLANS}/{plan.pk}/preflight").status_code == 202


@pytest.mark.parametrize(
    "permission",
    [PlanPermission.VIEW, PlanPermission.CHANGE, PlanPermission.OVERRIDE_PREFLIGHT],
)
def test_nobody_else_may(client_of, plan, world, permission):
    client = client_of(grant(UserFactory.create(), permission, on=plan))
    with world.unchanged():
        response = client.post(f"{PLANS}/{plan.pk}/preflight")
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert client.get(f"{PLANS}/{plan.pk}/preflight").status_code == 200


@pytest.mark.parametrize("why", ["blocks", "needed"])
def test_a_start_says_what_is_in_its_way(root, plan, world, why):
    if why == "blocks":
        blocked(plan)
    else:
        Preflight.objects.all().delete()
    with world.unchanged():
        response = root.post(EXECUTIONS, {"plan_id": str(plan.pk), "kind": "DRILL"})
    said = response.json()
    assert (response.status_code, said["code"]) == (409, f"recovery.preflight_{why}")


def test_starting_despite_it_takes_a_permission_of_its_own_and_a_reason(client_of, plan, world):
    blocked(plan)
    body = {
        "plan_id": str(plan.pk),
        "kind": "DRILL",
        "override_preflight": True,
        "reason": "Ticket 4711",
    }
    person = grant(UserFactory.create(), PlanPermission.DRILL, on=plan)
    with world.unchanged():
        refused = client_of(person).post(EXECUTIONS, body)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    client = client_of(grant(person, PlanPermission.OVERRIDE_PREFLIGHT, on=plan))
    with world.unchanged():
        unsaid = client.post(EXECUTIONS, body | {"reason": ""})
    assert unsaid.status_code == 400
    assert [error["code"] for error in unsaid.json()["errors"]] == ["reason_needed"]
    assert client.post(EXECUTIONS, body).status_code == 202
    assert AuditRecord.objects.filter(event="recovery.preflight.overridden").count() == 1
    assert Execution.objects.get().reason == "Ticket 4711"


def test_to_override_alone_does_not_start_anything(client_of, plan, world):
    person = grant(UserFactory.create(), PlanPermission.OVERRIDE_PREFLIGHT, on=plan)
    body = {"plan_id": str(plan.pk), "kind": "DRILL", "override_preflight": True, "reason": "x"}
    with world.unchanged():
        assert client_of(person).post(EXECUTIONS, body).status_code == 403


def test_one_that_was_given_up_tells_nothing(root, plan):
    Preflight.objects.update(state=PreflightState.ABANDONED, outcome="", score=None)
    said = root.get(f"{PLANS}/{plan.pk}/preflight").json()
    assert (said["state"], said["outcome"], said["score"]) == ("ABANDONED", None, None)
