"""Failing back on an execution's page: buttons only where they work, questions, the outcome."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from drportal.adminkit.widgets import Tone
from recovery.admin.failbacks import RETURN_TONES, STATE_TONES
from recovery.failback_states import FailbackState, Gate, ReturnState
from recovery.models import Execution, Failback
from recovery.states import ExecutionState, Kind
from tests.factories.failbacks import FailbackInstanceFactory, returning
from tests.factories.recovery import WaveServerFactory
from tests.factories.terminations import launched
from tests.factories.users import grant

pytestmark = pytest.mark.django_db
EVERYTHING_ELSE = ("view", "change", "drill", "recover", "share", "steer", "delete", "terminate")


def link(name: str, execution: Execution, *more: str) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=[execution.pk, *more])


def page(client, execution: Execution) -> str:
    text: str = client.get(link("change", execution)).content.decode()
    return text


@pytest.fixture
def execution(db) -> Execution:
    return launched(Kind.RECOVERY)


def test_only_what_is_wholly_back_is_green():
    assert set(RETURN_TONES) == set(ReturnState)
    assert set(STATE_TONES) == set(FailbackState)
    good = [state for state, tone in RETURN_TONES.items() if tone == Tone.GOOD]
    assert good == [ReturnState.FINISHED]
    assert RETURN_TONES[ReturnState.UNKNOWN] == Tone.UNSURE


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", [ExecutionState.RUNNING, ExecutionState.COMPLETED])
def test_the_button_is_there_only_when_it_works(root, kind, state):
    execution = launched(kind, state)
    offered = 'id="fail-back"' in page(root, execution)
    said = {"reason": "x", "typed": execution.plan_name}
    root.post(link("failback", execution), said)
    assert offered == Failback.objects.filter(execution=execution).exists()
    assert 'id="fail-back"' not in page(root, execution)


def test_it_asks_for_the_plans_name_and_a_reason(root, execution):
    asked = root.get(link("failback", execution)).content.decode()
    assert "2 servers" in asked
    assert "app-1" in asked
    for said in ({"reason": "x", "typed": "y"}, {"reason": " ", "typed": execution.plan_name}):
        assert root.post(link("failback", execution), said).status_code == 200
    assert not Failback.objects.exists()


def test_without_the_permission_there_is_no_button_and_no_page(client, execution, person):
    returning(execution, FailbackState.WATCHING)
    for name in EVERYTHING_ELSE:
        grant(person, f"recovery.{name}_recoveryplan", on=execution.plan)
    client.force_login(person)
    shown = page(client, execution)
    assert 'id="failback"' in shown
    assert "You may not open this gate" in shown
    for button in ("failback-gate", "failback-cancel", "failback-leave-out"):
        assert f'id="{button}' not in shown
    for name, more in (
        ("failback", ()),
        ("failback_cancel", ()),
        ("failback_gate", ("LAUNCH",)),
        ("failback_leave_out", (execution.servers.all()[0].server_id,)),
    ):
        assert client.post(link(name, execution, *more), {"reason": "x"}).status_code == 403
    failback = Failback.objects.get()
    assert failback.cancel_requested_at is None
    assert failback.launch_opened_at is None


def test_the_gate_is_offered_once_everything_is_ready(root, execution):
    failback = returning(execution, FailbackState.WATCHING, app_2=ReturnState.REPLICATING)
    shown = page(root, execution)
    assert 'id="failback-gate"' not in shown
    assert "1 server not ready" in shown
    refused = root.post(link("failback_gate", execution, "LAUNCH"), {"reason": ""})
    assert "Not everything is ready" in refused.content.decode()
    failback.instances.update(state=ReturnState.READY)
    assert 'id="failback-gate"' in page(root, execution)
    root.post(link("failback_gate", execution, "LAUNCH"), {"reason": "go"})
    failback.refresh_from_db()
    assert failback.launch_comment == "go"
    assert 'id="failback-gate"' not in page(root, execution)
    assert root.get(link("failback_gate", execution, "ELSE")).status_code == 404


def test_a_person_confirms_leaves_out_and_cancels(root, execution):
    failback = returning(execution, FailbackState.CONFIRMING, app_1=ReturnState.LAUNCHED)
    shown = page(root, execution)
    assert "waits for a person to confirm" in shown
    servers = execution.servers.order_by("name")
    assert f'id="failback-leave-out-{servers[0].server_id}"' not in shown
    assert f'id="failback-leave-out-{servers[1].server_id}"' in shown
    root.post(link("failback_leave_out", execution, servers[1].server_id), {"reason": "burnt"})
    assert failback.instances.get(server=servers[1]).state == ReturnState.LEFT_OUT
    assert (
        "Finish: 1 server"
        in root.get(link("failback_gate", execution, Gate.FINISH)).content.decode()
    )
    root.post(link("failback_gate", execution, Gate.FINISH), {"reason": "it works"})
    root.post(link("failback_cancel", execution), {"reason": "no"})
    failback.refresh_from_db()
    assert (failback.finish_comment, failback.cancel_reason) == ("it works", "no")
    assert "Cancelling was requested by" in page(root, execution)


def test_what_nobody_has_told_looks_unknown(root, execution):
    failback = returning(execution, FailbackState.REVERSING)
    failback.instances.update(origin="", looked_at=None, replication_state="", lag=None)
    shown = page(root, execution)
    for words in ("not known", "not told", "never"):
        assert words in shown
    Failback.objects.update(due_at=timezone.now() - timedelta(minutes=5))
    assert "No worker has looked at this failback" in page(root, execution)


def test_the_page_costs_the_same_for_many(root):
    few, many = launched(Kind.RECOVERY), launched(Kind.RECOVERY)
    returning(few, FailbackState.WATCHING)
    failback = returning(many, FailbackState.WATCHING)
    for _ in range(20):
        server = WaveServerFactory.create(wave=many.waves.get())
        FailbackInstanceFactory.create(job=None, failback=failback, server=server)
    page(root, few)
    with CaptureQueriesContext(connection) as one:
        root.get(link("live", few))
    with CaptureQueriesContext(connection) as twenty:
        root.get(link("live", many))
    assert len(twenty) == len(one)
