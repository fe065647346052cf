"""Comparing two executions of a plan, through the API and on its page."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from recovery.models import PlanVersion
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState, ServerState
from tests.factories.recovery import (
    ExecutionFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import SuperuserFactory, UserFactory, grant

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def plan():
    made = plan_of(name="Payroll")
    said = {**made.versions.get().document, "rto_seconds": 3600}
    PlanVersion.objects.create(plan=made, number=2, document=said, created_by="somebody")
    return made


def run(plan, days_ago, minutes, servers, **more):
    """A drill that ended so many days ago, whose servers are by name how they ended."""
    begun = NOW - timedelta(days=days_ago)
    ended = begun + timedelta(minutes=minutes)
    execution = ExecutionFactory.create(
        plan=plan, state=ExecutionState.COMPLETED, created_at=begun, finished_at=ended, **more
    )
    wave = WaveFactory.create(execution=execution, name="Web", started_at=begun)
    for number, (name, state) in enumerate(servers.items()):
        WaveServerFactory.create(
            wave=wave,
            name=name,
            server_id=f"s-{name:0>17}",
            account_id="123456789012",
            region="us-east-1",
            state=state,
            critical=number == 0,
            finished_at=ended,
        )
    return execution


@pytest.fixture
def two(plan):
    launched, failed = ServerState.LAUNCHED, ServerState.FAILED
    before = run(plan, 9, 30, {"same": launched, "gone": launched, "worse": launched})
    after = run(plan, 1, 20, {"same": launched, "new": launched, "worse": failed}, plan_version=2)
    return before, after


@pytest.mark.parametrize("turned", [False, True])
def test_it_says_what_is_different_whichever_is_named_first(root, two, turned):
    before, after = two
    one, other = reversed(two) if turned else two
    answer = root.get(f"/api/v1/executions/{one.pk}/compare", {"with": str(other.pk)})
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["before"]["execution_id"] == str(before.pk)
    assert told["after"]["execution_id"] == str(after.pk)
    found = [(row["name"], row["what"], row["state_before"]) for row in told["servers"]]
    assert found == [
        ("new", "ADDED", None),
        ("gone", "REMOVED", "LAUNCHED"),
        ("worse", "CHANGED", "LAUNCHED"),
        ("same", "SAME", "LAUNCHED"),
    ]
    assert told["changes"]["plan"] == [{"field": "rto_seconds", "before": None, "after": 3600}]
    (wave,) = told["waves"]
    assert (wave["before_seconds"], wave["after_seconds"]) == (1800.0, 1200.0)
    assert wave["slower_by_seconds"] == -600.0
    assert (told["before"]["rto_verdict"], told["after"]["rto_verdict"]) == ("NO_TARGET", "KEPT")


def test_what_is_not_known_is_null(root, plan, two):
    before, after = two
    PlanVersion.objects.filter(number=1)._raw_delete("default")
    after.servers.filter(name="same").update(state=ServerState.UNKNOWN)
    told = root.get(f"/api/v1/executions/{after.pk}/compare", {"with": str(before.pk)}).json()
    assert told["changes"] is None
    (wave,) = told["waves"]
    assert (wave["after_seconds"], wave["slower_by_seconds"]) == (None, None)


@pytest.mark.parametrize(
    ("other", "status", "code"),
    [("", 400, "invalid"), ("nonsense", 400, "invalid"), ("self", 409, "recovery.not_of_one_plan")],
)
def test_what_cannot_be_compared_is_said(root, two, other, status, code):
    named = str(two[0].pk) if other == "self" else other
    answer = root.get(f"/api/v1/executions/{two[0].pk}/compare", {"with": named})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_both_must_be_of_one_plan_and_seen(client_of, root, plan, two):
    elsewhere = ExecutionFactory.create()
    path = f"/api/v1/executions/{two[0].pk}/compare"
    assert root.get(path, {"with": str(elsewhere.pk)}).status_code == 409
    client = client_of(grant(UserFactory.create(), PlanPermission.VIEW, on=plan))
    assert client.get(path, {"with": str(two[1].pk)}).status_code == 200
    assert client.get(path, {"with": str(elsewhere.pk)}).status_code == 404


def test_it_has_a_page_for_print(two):
    before, after = two
    browser = Client()
    browser.force_login(SuperuserFactory.create())
    page = f"/admin/recovery/execution/{after.pk}/compare/"
    assert f"?with={before.pk}" in browser.get(page).content.decode()
    told = browser.get(page, {"with": str(before.pk)}).content.decode()
    assert "10 min faster" in told
    assert "Added" in told
    assert "not in it" in told
    for other in (str(ExecutionFactory.create().pk), str(after.pk), "nonsense"):
        assert browser.get(page, {"with": other}).status_code == 404
