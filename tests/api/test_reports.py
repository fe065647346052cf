from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from recovery.states import ExecutionState, ServerState
from tests.factories.recovery import (
    ExecutionEventFactory,
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import UserFactory, grant

EXECUTIONS = "/api/v1/executions"
pytestmark = pytest.mark.django_db


@pytest.fixture
def execution():
    plan = plan_of(rto=timedelta(hours=1), rpo=timedelta(minutes=15))
    now = timezone.now()
    made = ExecutionFactory.create(
        plan=plan, state=ExecutionState.COMPLETED, created_at=now - timedelta(minutes=30)
    )
    wave = WaveFactory.create(execution=made)
    job = LaunchJobFactory.create(wave=wave, asked_at=now)
    WaveServerFactory.create(
        execution=made,
        wave=wave,
        launch_job=job,
        state=ServerState.LAUNCHED,
        finished_at=now,
        recovery_point_at=now - timedelta(minutes=10),
    )
    ExecutionEventFactory.create(execution=made, message="It began.")
    return made


def test_a_report_tells_what_was_reached_against_what_was_wanted(root, execution):
    answer = root.get(f"{EXECUTIONS}/{execution.pk}/report")
    assert answer.status_code == 200
    said = answer.json()
    measured = said["measured"]
    assert (measured["rto_seconds"], measured["rto_verdict"]) == (3600, "KEPT")
    assert (measured["rpo_worst_seconds"], measured["rpo_verdict"]) == (600, "KEPT")
    assert measured["rpo_unknown_servers"] == 0
    assert sum(measured["spent"].values()) == pytest.approx(measured["took_seconds"])
    assert measured["recovery_points"][0]["age_seconds"] == 600
    assert said["execution"]["id"] == str(execution.pk)
    assert said["execution"]["waves"][0]["servers"][0]["state"] == "LAUNCHED"
    assert [event["message"] for event in said["events"]] == ["It began."]
    assert (said["final"], said["since_the_last_one"]) == (True, None)


def test_a_report_is_for_those_who_may_see_the_plan(client_of, execution):
    person = UserFactory.create()
    path = f"{EXECUTIONS}/{execution.pk}/report"
    assert client_of(person).get(path).status_code == 404
    grant(person, "recovery.view_recoveryplan", on=execution.plan)
    assert client_of(person).get(path).status_code == 200


def test_reading_a_report_is_recorded(root, execution):
    root.get(f"{EXECUTIONS}/{execution.pk}/report")
    found = AuditRecord.objects.latest("id")
    assert str(execution.pk) in str(found.subject_id)
