from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from drportal.adminkit.widgets import Tone
from recovery.admin.board import board
from recovery.admin.tones import SERVER_TONES, WAVE_TONES, execution_badge, job_badge, kind_badge
from recovery.models import Execution, JobWatch, RecoveryPlan, Wave
from recovery.selectors import whole
from recovery.states import (
    ExecutionState,
    JobState,
    Kind,
    ServerState,
    WaveState,
)
from tests.admin.conftest import recorded
from tests.factories.admin import busy_execution, ended_execution
from tests.factories.recovery import ExecutionFactory, LaunchJobFactory, WaveFactory, plan_of
from tests.factories.users import grant

GOOD_ONLY = {
    ServerState.READY,
    ServerState.LAUNCHED.value,
    WaveState.COMPLETED.value,
    ExecutionState.COMPLETED.value,
}


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=ids)


def shown(execution: Execution):
    return board(whole(Execution.objects.filter(pk=execution.pk)).get())


@pytest.mark.parametrize("state", [*ServerState, *WaveState])
def test_only_what_went_well_is_green(state):
    tones: dict[str, Tone] = {str(key): tone for key, tone in WAVE_TONES.items()}
    tones |= {str(key): tone for key, tone in SERVER_TONES.items()}
    assert (tones[state] == Tone.GOOD) == (state in GOOD_ONLY)


@pytest.mark.parametrize("state", ExecutionState)
def test_only_an_execution_that_completed_is_green(state):
    assert ("dr-good" in execution_badge(state)) == (state == ExecutionState.COMPLETED)


@pytest.mark.parametrize("state", JobState)
def test_no_job_is_green_because_drs_says_completed_of_failures_too(state):
    assert "dr-good" not in job_badge(state)


def test_drill_and_recovery_do_not_look_alike():
    assert kind_badge(Kind.DRILL) != kind_badge(Kind.RECOVERY)


def test_waves_stand_in_the_order_of_the_graph(db):
    execution = ExecutionFactory.create()
    for position, needs in ((1, [3]), (2, [1]), (3, [])):
        WaveFactory.create(execution=execution, position=position, depends_on=needs)
    assert [card.wave.position for card in shown(execution).waves] == [3, 1, 2]


def test_each_server_that_did_not_go_well_is_named_with_its_reason(db):
    troubles = shown(busy_execution()).troubles
    assert [(line.server.name, bool(line.server.message)) for line in troubles] == [
        ("app-03", True),
        ("app-04", True),
        ("app-05", True),
    ]


@pytest.mark.parametrize(
    ("state", "due", "lease", "late"),
    [
        (ExecutionState.RUNNING, -60, None, True),
        (ExecutionState.RUNNING, -60, -5, True),
        (ExecutionState.RUNNING, -60, 5, False),
        (ExecutionState.RUNNING, -3, None, False),
        (ExecutionState.RUNNING, 60, None, False),
        (ExecutionState.RUNNING, None, None, False),
        (ExecutionState.COMPLETED, -60, None, False),
    ],
)
def test_an_engine_that_is_late_is_reported(db, state, due, lease, late):
    now = timezone.now()
    execution = ExecutionFactory.create(
        state=state,
        due_at=now + timedelta(seconds=due) if due is not None else None,
        leased_until=now + timedelta(seconds=lease) if lease is not None else None,
    )
    assert bool(shown(execution).late) == late


@pytest.mark.parametrize(
    ("state", "due", "late"),
    [(JobState.STARTED, -60, True), (JobState.STARTED, -3, False), (JobState.ENDED, -60, False)],
)
def test_an_engine_that_is_late_to_watch_jobs_is_reported(db, state, due, late):
    execution = ExecutionFactory.create(state=ExecutionState.RUNNING)
    wave = WaveFactory.create(execution=execution)
    job = LaunchJobFactory.create(wave=wave, state=state, drs_job_id="drsjob-1")
    due_at = timezone.now() + timedelta(seconds=due)
    assert job.account
    JobWatch.objects.create(account=job.account, region=job.region, due_at=due_at)
    assert bool(shown(execution).late) == late


@pytest.mark.parametrize(
    ("failures", "polled", "told"),
    [(3, -40, True), (3, None, True), (1, -2, False), (0, -40, False)],
)
def test_a_place_where_drs_does_not_answer_is_told_on_top(db, failures, polled, told):
    execution = ExecutionFactory.create(state=ExecutionState.RUNNING)
    wave = WaveFactory.create(execution=execution)
    job = LaunchJobFactory.create(wave=wave, state=JobState.STARTED, drs_job_id="drsjob-1")
    polled_at = timezone.now() + timedelta(seconds=polled) if polled is not None else None
    assert job.account
    JobWatch.objects.create(
        account=job.account, region=job.region, failures=failures, polled_at=polled_at
    )
    places = shown(execution).silent
    assert [f"{job.aws_account_id}, {job.region}: " in place for place in places] == (
        [True] if told else []
    )


def test_the_live_part_is_not_kept_by_anybody(root):
    answer = root.get(link("live", busy_execution().pk))
    assert "no-store" in answer["Cache-Control"]
    assert 'data-active="true"' in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_the_live_part_of_an_ended_execution_says_so(root):
    answer = root.get(link("live", ended_execution().pk)).content.decode()
    assert 'data-active="false"' in answer
    assert "Cancel this" not in answer


def test_an_execution_outlives_its_plan(root):
    execution = ended_execution()
    RecoveryPlan.objects.all().delete()
    answer = root.get(link("change", execution.pk)).content.decode()
    assert "Ledger, Ireland (deleted)" in answer


@pytest.fixture
def waiting(db) -> Wave:
    execution = ExecutionFactory.create(plan=plan_of(), state=ExecutionState.PAUSED)
    return WaveFactory.create(execution=execution, gate=True, state=WaveState.WAITING)


@pytest.mark.parametrize("permission", ["view", "change", "drill", "recover", "share"])
@pytest.mark.parametrize("page", ["cancel", "gate"])
def test_only_whoever_may_steer_steers(person, browser, waiting, permission, page):
    plan = waiting.execution.plan
    grant(person, "recovery.view_recoveryplan", f"recovery.{permission}_recoveryplan", on=plan)
    more = [waiting.position] if page == "gate" else []
    answer = browser.post(link(page, waiting.execution.pk, *more), {"reason": "x"})
    assert answer.status_code == 403
    shown_page = browser.get(link("change", waiting.execution.pk)).content.decode()
    assert link(page, waiting.execution.pk, *more) not in shown_page
    waiting.refresh_from_db()
    assert (waiting.gate_opened_at, waiting.execution.cancel_requested_at) == (None, None)
    assert recorded() == []


def test_whoever_may_steer_opens_the_gate(person, browser, waiting):
    plan = waiting.execution.plan
    grant(person, "recovery.view_recoveryplan", "recovery.steer_recoveryplan", on=plan)
    browser.post(link("gate", waiting.execution.pk, 1), {"reason": "checked"})
    waiting.refresh_from_db()
    assert (waiting.gate_opened_by, waiting.gate_comment) == ("person", "checked")


def test_a_gate_that_nobody_waits_at_is_not_opened(root, waiting):
    Wave.objects.update(state=WaveState.PENDING)
    answer = root.post(link("gate", waiting.execution.pk, 1), {"reason": "x"})
    assert "does not wait at a gate" in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.gate_opened_at is None


def test_there_is_no_gate_before_a_wave_without_one(root, waiting):
    assert root.get(link("gate", waiting.execution.pk, 2)).status_code == 404


def test_an_ended_execution_is_not_cancelled(root):
    execution = ended_execution()
    answer = root.post(link("cancel", execution.pk), {"reason": "x"})
    assert "has ended" in answer.content.decode()


@pytest.mark.parametrize("name", ["add", "edit", "delete"])
def test_executions_have_no_forms(root, name):
    execution = ended_execution()
    ids = [] if name == "add" else [execution.pk]
    assert root.post(link(name, *ids), {"state": "COMPLETED"}).status_code == 403
    execution.refresh_from_db()
    assert execution.state == ExecutionState.PARTIAL


@pytest.mark.parametrize("wrong", ["x", "0", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_not_found(root, wrong):
    assert root.get(link("change", wrong)).status_code == 404


def test_the_report_says_what_was_reached_and_what_is_not_known(root):
    execution = ended_execution()
    page = root.get(link("report", execution.pk))
    said = page.content.decode()
    assert execution.plan_name in said
    assert "Where the time went" in said
    assert "has not ended" not in said
    for row in execution.servers.all():
        assert row.server_id in said
    assert link("report", execution.pk) in root.get(link("change", execution.pk)).content.decode()


def test_the_report_of_one_that_runs_says_so(root):
    assert "has not ended" in root.get(link("report", busy_execution().pk)).content.decode()


def test_a_report_is_for_those_who_may_see_the_plan(person, browser):
    execution = ended_execution()
    assert browser.get(link("report", execution.pk)).status_code in {403, 404}
    grant(person, "recovery.view_recoveryplan", on=execution.plan)
    assert browser.get(link("report", execution.pk)).status_code == 200


def test_the_report_of_a_deleted_plan_says_that_its_targets_are_not_known(root):
    execution = ended_execution()
    RecoveryPlan.objects.all().delete()
    said = root.get(link("report", execution.pk)).content.decode()
    assert "not known: the plan was deleted" in said
    assert "No target" not in said
