"""Preflights on the pages of plans."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from recovery.engine.preflight import Check
from recovery.models import Execution, Preflight
from recovery.states import CheckOutcome, ExecutionState, PreflightState
from tests.factories.recovery import ExecutionFactory, PreflightFactory, plan_of
from tests.factories.users import grant

pytestmark = pytest.mark.django_db


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_recoveryplan_{name}", args=ids)


def shown(browser, name: str, *ids: object) -> str:
    answer = browser.get(link(name, *ids))
    assert answer.status_code == 200
    said: str = answer.content.decode()
    return said


def blocked(plan, **more: object) -> Preflight:
    checks = [
        Check("servers", CheckOutcome.PASSED, "Each wave launches servers: 1 in all."),
        Check("replication", CheckOutcome.FAILED, "db-1: it is <stopped>.", "Mend it.", 1, "dbs"),
    ]
    found = PreflightFactory.create(
        plan=plan,
        outcome=CheckOutcome.FAILED,
        score=70,
        checks=[check.as_dict() for check in checks],
        **more,
    )
    assert isinstance(found, Preflight)
    return found


@pytest.fixture
def plan():
    return plan_of(name="Payments")


def test_the_page_shows_what_blocks_first_with_its_remedy_and_what_lowers_the_score(root, plan):
    blocked(plan)
    page = shown(root, "change", plan.pk)
    assert "Failed, 70 of 100" in page
    assert "It cannot be started: something is wrong." in page
    assert "db-1: it is &lt;stopped&gt;." in page
    assert "<strong>What to do:</strong> Mend it." in page
    assert page.index("Mend it.") < page.index("Each wave launches servers")
    assert "Replication (Failed, -30)" in page
    assert link("preflight", plan.pk) in page


def test_a_plan_that_nobody_looked_at_is_not_shown_as_good_or_as_zero(root, plan):
    Preflight.objects.all().delete()
    for page in (shown(root, "change", plan.pk), shown(root, "changelist")):
        assert "Never looked at" in page
        assert "of 100" not in page


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"plan_version": 7}, "Unknown: edited since"),
        ({"started_at": timezone.now() - timedelta(hours=3)}, "Unknown: too long ago"),
        ({"outcome": CheckOutcome.UNKNOWN, "score": None}, "Unknown, score unknown"),
    ],
)
def test_the_list_calls_unknown_what_nobody_knows_now(root, plan, spoilt, said):
    Preflight.objects.update(**spoilt)
    page = shown(root, "changelist")
    assert said in page
    assert "100 of 100" not in page


def test_the_list_shows_how_ready_each_plan_is_in_the_same_number_of_queries(root, plan):
    assert "Passed, 100 of 100" in shown(root, "changelist")

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            shown(root, "changelist")
        return len(asked)

    few = queries()
    for _ in range(20):
        plan_of()
    assert queries() == few


def test_a_preflight_is_run_from_the_page(root, plan):
    assert "Nothing is changed there." in shown(root, "preflight", plan.pk)
    answer = root.post(link("preflight", plan.pk))
    assert (answer.status_code, answer["Location"]) == (302, link("change", plan.pk))
    found = Preflight.objects.get(state=PreflightState.RUNNING)
    assert (found.plan, found.requested_by) == (plan, "root")
    page = shown(root, "change", plan.pk)
    assert f'data-live="{link("preflight_live", plan.pk)}"' in page
    assert "Below is what the one before found." in page
    assert "Running" in shown(root, "preflight_live", plan.pk)
    again = root.post(link("preflight", plan.pk))
    assert "is running already" in again.content.decode()
    assert Preflight.objects.filter(state=PreflightState.RUNNING).count() == 1


def test_one_that_was_given_up_says_that_it_tells_nothing(root, plan):
    PreflightFactory.create(plan=plan, state=PreflightState.ABANDONED, outcome="", score=None)
    page = shown(root, "change", plan.pk)
    assert "so it tells nothing" in page


def test_the_page_of_one_preflight(root, plan):
    old = blocked(plan, created_at=timezone.now() - timedelta(days=1), plan_version=1)
    assert "db-1: it is &lt;stopped&gt;." in shown(root, "preflight_shown", plan.pk, old.pk)
    other = plan_of()
    assert root.get(link("preflight_shown", other.pk, old.pk)).status_code == 404


def test_whoever_only_sees_it_does_not_run_it(person, browser, plan):
    grant(person, "recovery.view_recoveryplan", on=plan)
    assert link("preflight", plan.pk) not in shown(browser, "change", plan.pk)
    assert browser.post(link("preflight", plan.pk)).status_code == 403
    assert Preflight.objects.count() == 1


def test_a_start_that_is_refused_shows_why_and_starts_nothing(root, plan):
    blocked(plan)
    answer = root.post(link("start", plan.pk, "drill"), {"reason": "x"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "keeps it from being started" in page
    assert link("start_override", plan.pk, "drill") in page
    assert not Execution.objects.exists()


def test_starting_despite_the_preflight(root, plan):
    blocked(plan)
    override = link("start_override", plan.pk, "drill")
    assert "ALTHOUGH the preflight" in shown(root, "start_override", plan.pk, "drill")
    answer = root.post(override, {"reason": ""})
    assert "Say why it is started" in answer.content.decode()
    assert not Execution.objects.exists()
    assert root.post(override, {"reason": "Ticket 4711"}).status_code == 302
    event = Execution.objects.get().events.get(kind="preflight.overridden")
    assert "Ticket 4711" in event.message


def test_to_override_is_a_permission_of_its_own(person, browser, plan):
    blocked(plan)
    grant(person, "recovery.drill_recoveryplan", on=plan)
    override = link("start_override", plan.pk, "drill")
    assert override not in shown(browser, "start", plan.pk, "drill")
    assert browser.post(override, {"reason": "Ticket"}).status_code == 403
    grant(person, "recovery.override_preflight_recoveryplan", on=plan)
    assert override in shown(browser, "start", plan.pk, "drill")
    assert browser.post(override, {"reason": "Ticket"}).status_code == 302
    assert Execution.objects.count() == 1
    assert browser.get(link("start_override", plan.pk, "recovery")).status_code == 403


def test_what_would_refuse_a_start_is_said_before_anything_is_typed(root, plan):
    Preflight.objects.all().delete()
    page = shown(root, "start", plan.pk, "drill")
    assert "It would be refused now." in page
    assert "Nobody has looked yet whether it can be started." in page


def test_where_nothing_is_in_the_way_nothing_is_there_to_override(root, plan):
    PreflightFactory.create(plan=plan)
    page = shown(root, "start", plan.pk, "drill")
    assert "It would be refused now." not in page
    assert link("start_override", plan.pk, "drill") not in page


def test_what_nobody_can_override_is_said_and_not_offered(root, plan):
    ExecutionFactory.create(plan=plan, state=ExecutionState.RUNNING)
    page = shown(root, "start", plan.pk, "drill")
    assert "It would be refused now." in page
    assert link("start_override", plan.pk, "drill") not in page
