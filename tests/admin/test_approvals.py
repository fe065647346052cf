"""Approving in the admin: who must, who may, and that asking changes nothing."""

import pytest
from django.urls import reverse
from django.utils import timezone

from recovery.engine.gates import GateRule
from recovery.models import Execution, Preflight, Wave
from recovery.permissions import PlanPermission
from recovery.services import executions
from recovery.states import Kind
from tests.admin.conftest import recorded
from tests.factories.recovery import ExecutionFactory, WaveFactory, plan_of
from tests.factories.users import UserFactory, grant
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db


def link(name: str, execution: Execution) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=[execution.pk])


@pytest.fixture
def waiting():
    plan = plan_of(name="Plan", approval_needed=True)
    return executions.start(plan, kind=Kind.RECOVERY, confirmation="Plan", actor=PERSON)


def page(browser, execution):
    return browser.get(link("change", execution)).content.decode()


def test_the_page_says_who_may_and_offers_it_to_them_only(person, browser, root, waiting):
    grant(person, PlanPermission.VIEW, on=waiting.plan)
    grant(UserFactory.create(username="ann"), PlanPermission.APPROVE)
    shown = page(browser, waiting)
    assert "Waiting for approval" in shown
    assert "ann, root" in shown
    assert "You may not approve it." in shown
    assert link("approve", waiting) not in shown
    assert link("approve", waiting) in page(root, waiting)
    Execution.objects.update(requested_by="root")
    shown = page(root, waiting)
    assert "You started it" in shown
    assert link("approve", waiting) not in shown


def test_approving_asks_first_and_tells_of_the_preflight(root, waiting):
    before = Execution.objects.values().get()
    done = recorded()
    asked = root.get(link("approve", waiting)).content.decode()
    assert "This is a REAL RECOVERY" in asked
    assert "Requested by pat" in asked
    assert (Execution.objects.values().get(), recorded()) == (before, done)
    root.post(link("approve", waiting), {"reason": "Go."})
    waiting.refresh_from_db()
    assert (waiting.approved_by, waiting.approval_comment) == ("root", "Go.")
    assert "Approved by" in page(root, waiting)


def test_an_old_preflight_is_said_before_and_can_be_overridden(root, waiting):
    Preflight.objects.all().delete()
    asked = root.get(link("approve", waiting)).content.decode()
    assert "Nobody has looked yet" in asked
    assert link("approve_override", waiting) in asked
    root.post(link("approve", waiting), {"reason": "Go."})
    assert Execution.objects.get().approved_at is None
    root.post(link("approve_override", waiting), {"reason": ""})
    assert Execution.objects.get().approved_at is None
    root.post(link("approve_override", waiting), {"reason": "AWS is away."})
    assert Execution.objects.get().approved_by == "root"


def test_rejecting_needs_a_reason(root, waiting):
    assert "Say why." in root.post(link("reject", waiting), {"reason": ""}).content.decode()
    assert Execution.objects.get().cancel_requested_at is None
    root.post(link("reject", waiting), {"reason": "Not now."})
    assert Execution.objects.get().cancel_reason == "Rejected: Not now."


@pytest.mark.parametrize("name", ["approve", "approve_override", "reject"])
@pytest.mark.parametrize("permission", ["steer", "recover", "override_preflight"])
def test_without_the_permission_nothing_is_decided(person, browser, waiting, name, permission):
    grant(person, f"recovery.{permission}_recoveryplan", on=waiting.plan)
    before = Execution.objects.values().get()
    assert browser.get(link(name, waiting)).status_code == 403
    assert browser.post(link(name, waiting), {"reason": "x"}).status_code == 403
    assert Execution.objects.values().get() == before


def test_to_approve_is_not_to_override(person, browser, waiting):
    grant(person, PlanPermission.APPROVE, on=waiting.plan)
    Preflight.objects.all().delete()
    assert (
        link("approve_override", waiting)
        not in browser.get(link("approve", waiting)).content.decode()
    )
    assert browser.post(link("approve_override", waiting), {"reason": "x"}).status_code == 403
    assert Execution.objects.get().approved_at is None


def test_the_form_of_a_plan_says_that_recoveries_need_it(root):
    plan = plan_of(name="Plan", approval_needed=True)
    wave = plan.waves.get()
    edit = reverse("admin:recovery_recoveryplan_edit", args=[plan.pk])
    assert "needs the approval of a second person" in root.get(edit).content.decode()
    sent = {
        "name": "Plan",
        "version": "1",
        "waves": "1",
        "waves-0-name": wave.name,
        "waves-0-groups": str(wave.groups.get().pk),
        "waves-0-time_limit_minutes": "60",
        "waves-0-wait_minutes": "0",
        "waves-0-success_threshold": "100",
    }
    root.post(edit, {**sent, "approval_needed": "on"})
    plan.refresh_from_db()
    assert (plan.version, plan.approval_needed) == (2, True)
    root.post(edit, {**sent, "version": "2"})
    plan.refresh_from_db()
    assert (plan.version, plan.approval_needed) == (3, False)


@pytest.fixture
def at_gate(person):
    """An execution whose wave waits for two of three named people, one of whom is gone."""
    execution = ExecutionFactory.create(plan=plan_of(), state="PAUSED")
    rule = GateRule(needed=2, people=("person", "ann", "zoe"), on_expiry="CANCEL")
    WaveFactory.create(
        execution=execution,
        gate=True,
        gate_rule=rule.as_dict(),
        state="WAITING",
        gate_reached_at=timezone.now(),
    )
    UserFactory.create(username="ann")
    return execution


def gate_link(what, execution):
    return reverse(f"admin:recovery_execution_gate_{what}", args=[execution.pk, 1])


def test_a_gate_says_whom_it_waits_for_and_offers_it_to_them(person, browser, root, at_gate):
    grant(person, PlanPermission.APPROVE, on=at_gate.plan)
    shown = page(browser, at_gate)
    assert "0 of 2" in shown
    assert "Who can: ann, person" in shown
    assert "There is no active user zoe." in shown
    assert gate_link("approve", at_gate) in shown
    assert "The whole execution is cancelled then." in (
        browser.get(gate_link("deny", at_gate)).content.decode()
    )
    browser.post(gate_link("approve", at_gate), {"reason": "Fine."})
    shown = page(browser, at_gate)
    assert "1 of 2 (person)" in shown
    assert gate_link("approve", at_gate) not in shown
    # Whoever may do everything is not among them.
    shown = page(root, at_gate)
    assert "You are not among them." in shown
    assert gate_link("approve", at_gate) not in shown
    refused = root.post(gate_link("approve", at_gate), {"reason": ""}).content.decode()
    assert "You are not among those who decide" in refused
    assert Wave.objects.get().decisions.count() == 1
    browser.post(gate_link("deny", at_gate), {"reason": "Not now."})
    assert "denied by person" in page(root, at_gate)


def test_to_be_named_at_a_gate_is_not_to_be_allowed(person, browser, at_gate):
    grant(person, PlanPermission.STEER, on=at_gate.plan)
    for what in ("approve", "deny"):
        assert browser.post(gate_link(what, at_gate), {"reason": "x"}).status_code == 403
    assert not Wave.objects.get().decisions.exists()


def test_the_form_of_a_plan_says_who_opens_a_gate(root):
    UserFactory.create(username="ann")
    plan = plan_of(name="Plan")
    wave = plan.waves.get()
    edit = reverse("admin:recovery_recoveryplan_edit", args=[plan.pk])
    sent = {
        "name": "Plan",
        "version": "1",
        "waves": "1",
        "waves-0-name": wave.name,
        "waves-0-groups": str(wave.groups.get().pk),
        "waves-0-time_limit_minutes": "60",
        "waves-0-wait_minutes": "0",
        "waves-0-success_threshold": "100",
        "waves-0-gate": "on",
        "waves-0-gate_needed": "1",
        "waves-0-gate_people": "ann\r\n",
        "waves-0-gate_expires_minutes": "30",
        "waves-0-gate_on_expiry": "BLOCK",
    }
    refused = root.post(edit, {**sent, "waves-0-gate_people": "zoe"}).content.decode()
    assert "There is no active user zoe." in refused
    assert plan.waves.get().gate_rule == {}
    root.post(edit, sent)
    kept = plan.waves.get().gate_rule
    assert (kept["people"], kept["expires_minutes"], kept["on_expiry"]) == (["ann"], 30, "BLOCK")
    assert ">ann</textarea>" in root.get(edit).content.decode().replace("\n", "")
