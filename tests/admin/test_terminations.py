"""Cleaning up on an execution's page: a button only where it works, a question, and the outcome."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from drportal.adminkit.widgets import Tone
from drportal.roles import ROLES
from recovery.admin.terminations import OUTCOME_TONES
from recovery.models import Execution, Termination
from recovery.states import ExecutionState, InstanceOutcome, Kind, ServerState, TerminationState
from tests.admin.conftest import recorded
from tests.factories.recovery import WaveServerFactory
from tests.factories.terminations import TerminationInstanceFactory, ended, launched
from tests.factories.users import grant

pytestmark = pytest.mark.django_db
EVERYTHING_ELSE = ("view", "change", "drill", "recover", "share", "steer", "delete")


def link(name: str, execution: Execution) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=[execution.pk])


def page(client, execution: Execution) -> str:
    text: str = client.get(link("change", execution)).content.decode()
    return text


def test_only_what_is_terminated_is_green():
    assert set(OUTCOME_TONES) == set(InstanceOutcome)
    good = [outcome for outcome, tone in OUTCOME_TONES.items() if tone == Tone.GOOD]
    assert good == [InstanceOutcome.TERMINATED]
    assert OUTCOME_TONES[InstanceOutcome.UNKNOWN] == Tone.UNSURE


@pytest.mark.parametrize("state", ExecutionState)
def test_the_button_is_there_only_when_it_works(root, state):  # E-76
    execution = launched(state=state)
    offered = 'id="terminate"' in page(root, execution)
    root.post(link("terminate", execution), {"reason": ""})
    assert offered == Termination.objects.filter(execution=execution).exists()
    assert 'id="terminate"' not in page(root, execution)  # it is under way, or cannot be


def test_the_question_says_how_many_where(root):
    execution = launched()
    asked = root.get(link("terminate", execution)).content.decode()
    assert "Terminate 2 instances" in asked
    assert execution.servers.all()[0].account_id in asked
    assert "us-east-1" in asked
    assert "app-1" in asked
    assert not Termination.objects.exists()


def test_a_recovery_asks_for_the_plans_name(root):
    execution = launched(Kind.RECOVERY)
    assert "real recovery" in root.get(link("terminate", execution)).content.decode()
    answer = root.post(link("terminate", execution), {"reason": "", "typed": "something"})
    assert "This is not" in answer.content.decode()
    assert not Termination.objects.exists()
    root.post(link("terminate", execution), {"reason": "over", "typed": execution.plan_name})
    assert Termination.objects.get().reason == "over"


@pytest.mark.parametrize("kind", Kind)
def test_only_whoever_may_cleans_up(person, browser, kind):
    execution = launched(kind)
    other = "terminate_recovery" if kind == Kind.DRILL else "terminate"
    held = [f"recovery.{each}_recoveryplan" for each in (*EVERYTHING_ELSE, other)]
    grant(person, *held, on=execution.plan)
    assert 'id="terminate"' not in page(browser, execution)
    said = {"reason": "", "typed": execution.plan_name}
    assert browser.post(link("terminate", execution), said).status_code == 403
    assert not Termination.objects.exists()
    assert recorded() == []
    needed = "terminate" if kind == Kind.DRILL else "terminate_recovery"
    grant(person, f"recovery.{needed}_recoveryplan", on=execution.plan)
    assert 'id="terminate"' in page(browser, execution)
    browser.post(link("terminate", execution), said)
    assert Termination.objects.get().requested_by == "person"


def test_what_is_refused_is_said_and_nothing_is_written(root):
    execution = launched(state=ExecutionState.RUNNING)
    answer = root.post(link("terminate", execution), {"reason": ""}).content.decode()
    assert "has not ended" in answer
    assert not Termination.objects.exists()


def test_the_live_part_tells_of_each_and_goes_on_while_it_lasts(root):
    execution = launched()
    assert 'data-active="false"' in page(root, execution)
    root.post(link("terminate", execution), {"reason": "the drill is over"})
    live = root.get(link("live", execution)).content.decode()
    assert 'data-active="true"' in live
    assert "the drill is over" in live
    assert "2 waiting of 2" in live


def test_what_is_left_is_on_top_and_offered_again(root):
    execution = launched()
    ended(execution)
    shown = page(root, execution)
    assert "1 terminated, 1 failed of 2" in shown
    assert shown.index("it is protected") < shown.index(">Timeline")
    assert "Terminate 1 instance<" in shown
    assert "gone" in shown


def test_a_clean_up_that_no_worker_looks_at_says_so(root):
    execution = launched()
    root.post(link("terminate", execution), {"reason": ""})
    assert "No worker has looked at this clean-up" not in page(root, execution)
    Termination.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    assert "No worker has looked at this clean-up" in page(root, execution)
    Termination.objects.update(
        state=TerminationState.COMPLETED, finished_at=timezone.now(), due_at=None
    )
    assert "No worker has looked at this clean-up" not in page(root, execution)


def test_many_instances_cost_as_many_queries_as_few(root):
    few, many = launched(), launched()
    ended(few)
    termination = ended(many)
    wave, job = many.waves.get(), many.jobs.get()
    for _ in range(30):
        row = WaveServerFactory.create(wave=wave, launch_job=job, state=ServerState.LAUNCHED)
        TerminationInstanceFactory.create(job=termination.jobs.get(), server=row)
        job.server_ids.append(row.server_id)
    job.save()
    root.get(link("live", few))
    with CaptureQueriesContext(connection) as one:
        root.get(link("live", few))
    with CaptureQueriesContext(connection) as thirty:
        root.get(link("live", many))
    assert len(one) == len(thirty)


def test_to_steer_is_not_to_destroy_what_a_recovery_launched():
    both = {"recovery.terminate_recoveryplan", "recovery.terminate_recovery_recoveryplan"}
    held = {name: both & permissions for name, permissions in ROLES.items()}
    drills = {"recovery.terminate_recoveryplan"}
    assert held == {
        "DRSOrchestrationAdmin": both,
        "DRSRecoveryManager": both,
        "DRSPlanManager": drills,
        "DRSOperator": drills,
        "DRSReadOnly": set(),
        "DRSAuditor": set(),
    }
