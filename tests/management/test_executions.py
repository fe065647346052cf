"""`manage.py executions`: the same requests, from a shell, by somebody who may."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditRecord
from recovery.models import Execution, WavePreflight
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState, WaveState
from tests.factories.checks import failed_by_its_check
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory, plan_of
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def execution():
    made = ExecutionFactory.create(plan=plan_of(), state=ExecutionState.RUNNING)
    WaveFactory.create(execution=made, state=WaveState.WAITING, gate=True)
    WaveFactory.create(execution=made, position=2, depends_on=[1])
    return made


@pytest.fixture
def olivia(execution):
    person = UserFactory.create(username="olivia")
    return grant(person, PlanPermission.VIEW, PlanPermission.STEER, on=execution.plan)


def run(*words: str, who: str = "olivia") -> str:
    out = io.StringIO()
    call_command("executions", *words, "--as", who, stdout=out)
    return out.getvalue()


def done() -> list[tuple[str, str, str]]:
    found = AuditRecord.objects.filter(outcome="SUCCEEDED").order_by("pk")
    return list(found.values_list("event", "actor_name", "door"))


def test_it_pauses_and_lifts_the_pause(execution, olivia):
    assert "Noted" in run("pause", str(execution.pk), "--reason", "Look first")
    execution.refresh_from_db()
    assert (execution.pause_requested_by, execution.pause_reason) == ("olivia", "Look first")
    run("resume", str(execution.pk))
    execution.refresh_from_db()
    assert execution.pause_requested_at is None
    assert execution.waves.get(position=1).gate_opened_at is None
    assert done() == [
        ("recovery.execution.pause_requested", "olivia", "DIRECT"),
        ("recovery.execution.pause_lifted", "olivia", "DIRECT"),
    ]


def test_it_opens_the_gate_of_a_wave(execution, olivia):
    run("resume", str(execution.pk), "--wave", "1", "--reason", "Fine")
    assert execution.waves.get(position=1).gate_comment == "Fine"


def test_it_cancels(execution, olivia):
    run("cancel", str(execution.pk), "--reason", "Enough")
    execution.refresh_from_db()
    assert (execution.cancel_requested_by, execution.cancel_reason) == ("olivia", "Enough")


@pytest.mark.parametrize("what", ["pause", "resume", "cancel"])
def test_what_is_refused_changes_nothing_and_is_recorded(execution, olivia, what):
    Execution.objects.update(state=ExecutionState.FAILED, finished_at=timezone.now())
    before = Execution.objects.values().get()
    with pytest.raises(CommandError, match="has ended") as refused:
        run(what, str(execution.pk))
    assert (refused.value.returncode, Execution.objects.values().get()) == (2, before)
    assert done() == []
    told = AuditRecord.objects.get(outcome="REFUSED")
    assert (told.actor_name, told.facts["code"]) == ("olivia", "recovery.execution_ended")


@pytest.mark.parametrize("what", ["pause", "resume", "cancel"])
def test_whoever_may_only_see_steers_nothing(execution, what):
    grant(UserFactory.create(username="eve"), PlanPermission.VIEW, on=execution.plan)
    before = Execution.objects.values().get()
    with pytest.raises(CommandError, match="may not steer"):
        run(what, str(execution.pk), who="eve")
    assert (Execution.objects.values().get(), done()) == (before, [])


def test_whoever_sees_nothing_is_told_of_nothing(execution):
    UserFactory.create(username="eve")
    with pytest.raises(CommandError, match="no execution"):
        run("pause", str(execution.pk), who="eve")


@pytest.mark.parametrize("active", [None, False])
def test_nobody_is_no_actor(execution, active):
    if active is not None:
        UserFactory.create(username="gone", is_superuser=True, is_active=active)
    with pytest.raises(CommandError, match="no active user"):
        run("pause", str(execution.pk), who="gone")
    assert done() == []


@pytest.fixture
def failed(execution):
    wave = WaveFactory.create(execution=execution, position=3, state=WaveState.FAILED)
    WaveServerFactory.create(wave=wave, server_id="s-a", state="FAILED")
    return wave


@pytest.mark.parametrize("named", [(), ("--server", "s-a")])
def test_it_launches_failed_servers_again(execution, olivia, failed, named):
    run("retry", str(execution.pk), "--wave", "3", "--reason", "Room again", *named)
    failed.refresh_from_db()
    assert failed.state == WaveState.LAUNCHING
    assert failed.servers.get().attempt == 2
    assert done() == [("recovery.wave.retried", "olivia", "DIRECT")]


@pytest.mark.parametrize("named", [("--wave", "3", "--server", "s-z"), (), ("--wave", "9")])
def test_what_cannot_be_tried_again_is_not(execution, olivia, failed, named):
    with pytest.raises(CommandError):
        run("retry", str(execution.pk), *named)
    failed.refresh_from_db()
    assert (failed.state, done()) == (WaveState.FAILED, [])


@pytest.mark.parametrize(("named", "left"), [((), 0), (("--server", "s-a"), 1)])
def test_it_leaves_out(execution, olivia, named, left):
    wave = execution.waves.get(position=2)
    for name in ("a", "b"):
        WaveServerFactory.create(wave=wave, server_id=f"s-{name}")
    WaveServerFactory.create(wave=execution.waves.get(position=1))
    run("skip", str(execution.pk), "--wave", "2", "--reason", "Retired", *named)
    assert wave.servers.filter(state="PENDING").count() == left
    assert done() == [("recovery.servers.left_out", "olivia", "DIRECT")]


def test_it_lets_a_wave_launch_that_aws_keeps_from_it_for_those_who_may(execution, olivia):
    wave = execution.waves.get(position=2)
    now = timezone.now()
    row = WavePreflight.objects.create(
        wave=wave, asked_at=now, looked_at=now, outcome="UNKNOWN", blocking=["drs"]
    )
    words = ("override", str(execution.pk), "--wave", "2", "--reason", "It is lost")
    with pytest.raises(CommandError, match="may not"):
        run(*words)
    row.refresh_from_db()
    assert row.overridden == []
    grant(olivia, PlanPermission.OVERRIDE_PREFLIGHT, on=execution.plan)
    run(*words)
    assert done() == [("recovery.wave_preflight.overridden", "olivia", "DIRECT")]


def test_it_says_that_there_is_nothing_to_apply(execution, olivia):
    with pytest.raises(CommandError, match="Nothing of the drill"):
        run("apply-config", str(execution.pk))


def test_it_gives_a_wave_more_time(execution, olivia):
    soon = timezone.now() + timedelta(minutes=1)
    launching = {"state": WaveState.LAUNCHING, "deadline_at": soon}
    wave = WaveFactory.create(execution=execution, position=3, **launching)
    words = ("--wave", "3", "--minutes", "30", "--reason", "Large snapshots")
    run("extend", str(execution.pk), *words)
    wave.refresh_from_db()
    assert wave.deadline_at == soon + timedelta(minutes=30)


@pytest.mark.parametrize(
    "words",
    [
        ("skip", "--wave", "2"),
        ("skip", "--reason", "x"),
        ("extend", "--wave", "1", "--reason", "x"),
        ("extend", "--wave", "1", "--reason", "x", "--minutes", "0"),
        ("extend", "--wave", "1", "--reason", "x", "--minutes", "many"),
    ],
)
def test_what_says_too_little_changes_nothing(execution, olivia, words):
    before = list(execution.waves.order_by("pk").values())
    with pytest.raises(CommandError):
        run(words[0], str(execution.pk), *words[1:])
    assert (list(execution.waves.order_by("pk").values()), done()) == (before, [])


def test_it_has_checks_made_again_and_passes_one(olivia):
    execution, server = failed_by_its_check()
    grant(olivia, PlanPermission.VIEW, PlanPermission.STEER, on=execution.plan)
    run("check-again", str(execution.pk), "--wave", "1", "--server", server.server_id)
    server.refresh_from_db()
    assert server.being_checked
    check = server.checks.get()
    run("pass-check", str(execution.pk), "--check", str(check.pk), "--reason", "Seen")
    server.refresh_from_db()
    assert server.state == "READY"
    with pytest.raises(CommandError, match="--check"):
        run("pass-check", str(execution.pk), "--reason", "Seen")


def test_it_polls_a_wave_and_tells_what_its_servers_say(execution, olivia):
    wave = execution.waves.get(position=2)
    type(wave).objects.filter(pk=wave.pk).update(state="LAUNCHING", started_at=timezone.now())
    WaveServerFactory.create(wave=wave, name="db-1", state="FAILED", message="Full")
    for what in ("poll", "completion"):
        said = run(what, str(execution.pk), "--wave", "2")
        assert "is LAUNCHING; its servers say FAILED" in said
        assert "Full" in said
    assert done() == [
        ("recovery.wave.polled", "olivia", "DIRECT"),
        ("recovery.wave.completion_asked", "olivia", "DIRECT"),
    ]
