"""What AWS says before a wave, through the API: who sees it, and who may override it."""

import pytest
from django.utils import timezone

from recovery.engine.preflight import Check
from recovery.models import Execution, WavePreflight
from recovery.permissions import PlanPermission
from recovery.states import CheckOutcome, ExecutionState
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory, plan_of
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
EXECUTIONS = "/api/v1/executions"
BODY = {"position": 1, "reason": "The Region is lost"}


@pytest.fixture
def held(db) -> Execution:
    """An execution of which AWS keeps the first wave from launching."""
    execution = ExecutionFactory.create(plan=plan_of(), state=ExecutionState.RUNNING)
    wave = WaveFactory.create(execution=execution)
    WaveServerFactory.create(wave=wave)
    failed = Check("drs", CheckOutcome.FAILED, "DRS is not initialized.", "Initialize it.")
    passed = Check("account", CheckOutcome.PASSED, "It was entered.")
    now = timezone.now()
    WavePreflight.objects.create(
        wave=wave,
        asked_at=now,
        looked_at=now,
        outcome=CheckOutcome.FAILED,
        checks=[failed.as_dict(), passed.as_dict()],
        blocking=["drs"],
        refusals=2,
        due_at=now,
    )
    return execution


def test_it_is_told_what_keeps_a_wave_from_launching(root, held):
    (wave,) = root.get(f"{EXECUTIONS}/{held.pk}").json()["waves"]
    told = wave["preflight"]
    assert (told["holds"], told["blocking"], told["refusals"]) == (True, ["drs"], 2)
    assert [(each["code"], each["found"]) for each in told["checks"]] == [
        ("drs", "DRS is not initialized.")
    ]


def test_a_wave_nobody_asked_about_says_nothing(root, held):
    WavePreflight.objects.all().delete()
    (wave,) = root.get(f"{EXECUTIONS}/{held.pk}").json()["waves"]
    assert wave["preflight"] is None


def test_only_whoever_may_override_a_preflight_does(client_of, held):
    steers = grant(UserFactory.create(), PlanPermission.VIEW, PlanPermission.STEER, on=held.plan)
    path = f"{EXECUTIONS}/{held.pk}/override-preflight"
    assert client_of(steers).post(path, BODY).status_code == 403
    assert client_of(UserFactory.create()).post(path, BODY).status_code == 404
    assert WavePreflight.objects.get().overridden == []
    grant(steers, PlanPermission.OVERRIDE_PREFLIGHT, on=held.plan)
    assert client_of(steers).post(path, {"position": 1}).status_code == 400
    assert client_of(steers).post(path, BODY).status_code == 202
    row = WavePreflight.objects.get()
    assert (row.overridden, row.override_reason) == (["drs"], "The Region is lost")
    again = client_of(steers).post(path, BODY)
    assert (again.status_code, again.json()["code"]) == (409, "recovery.nothing_to_override")


def test_applying_launch_settings_is_for_those_who_steer(client_of, held):
    sees = grant(UserFactory.create(), PlanPermission.VIEW, on=held.plan)
    path = f"{EXECUTIONS}/{held.pk}/apply-config"
    assert client_of(sees).post(path).status_code == 403
    assert client_of(sees).get(path).json() == []
    grant(sees, PlanPermission.STEER, on=held.plan)
    refused = client_of(sees).post(path)
    assert (refused.status_code, refused.json()["code"]) == (400, "protection.nothing_to_apply")
