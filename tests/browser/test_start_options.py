"""Choosing a part of a plan, looking at what it would do, and starting it, in Chromium."""

from datetime import timedelta

import pytest
from django.utils import timezone

from recovery.models import Execution, Preflight
from recovery.states import ExecutionState, PreflightState, ServerState, WaveState
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import (
    ExecutionFactory,
    PreflightFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def plan(operator):
    account = TargetAccountFactory.create(name="Shops")
    groups = []
    for tier, count in (("db", 2), ("app", 3), ("web", 4)):
        servers = [
            SourceServerFactory.create(account=account, name=f"{tier}-{number}")
            for number in range(1, count + 1)
        ]
        groups.append(ProtectionGroupFactory.create(account=account, name=tier, servers=servers))
    past = ExecutionFactory.create(state=ExecutionState.COMPLETED)
    wave = WaveFactory.create(execution=past, state=WaveState.COMPLETED)
    ended = timezone.now() - timedelta(days=3)
    for minutes in (8, 9, 11, 17):
        WaveServerFactory.create(
            wave=wave,
            state=ServerState.LAUNCHED,
            started_at=ended - timedelta(minutes=minutes),
            finished_at=ended,
        )
    return plan_of(*groups, name="Web shop", gates=(3,), rto=timedelta(minutes=45))


def test_a_part_is_chosen_foreseen_and_started(desk, plan, shoot):
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/dry-run/")
    desk.get_by_role("img").first.wait_for()
    shoot("dry_run")
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/start/drill/")
    desk.locator("#options").click()
    desk.get_by_label("From wave").fill("2")
    desk.get_by_label("Recovery points not after (UTC)").fill("2026-01-31 12:00")
    desk.get_by_label("Ticket").fill("CHG-4711")
    shoot("start_options")
    desk.get_by_role("button", name="Go on with this").click()
    desk.get_by_text("From wave 2 on.").first.wait_for()
    shoot("start_part")
    desk.get_by_role("link", name="Run preflight").click()
    desk.get_by_role("button", name="Run the preflight").click()
    desk.get_by_text("From wave 2 on.").first.wait_for()
    asked = Preflight.objects.get(state=PreflightState.RUNNING)
    found = {
        f"{server.account.account_id}/{server.region}/{server.server_id}": {
            "id": f"pit-{number:017x}",
            "at": "2026-01-31T11:50:05+00:00",
        }
        for number, server in enumerate(
            member.server
            for wave in plan.waves.filter(position__gte=2)
            for entry in wave.entries.all()
            for member in entry.group.members.select_related("server__account")
        )
    }
    PreflightFactory.create(plan=plan, options=asked.options, points=found)
    desk.reload()
    desk.get_by_role("button", name="Start the drill").click()
    desk.get_by_text("Start options: From wave 2 on.").wait_for()
    desk.locator("#summary-2").click()
    desk.get_by_text("Chosen point pit-00000000000000000", exact=False).first.wait_for()
    shoot("execution_part")
    execution = Execution.objects.get(plan=plan)
    assert execution.ticket == "CHG-4711"
    assert execution.servers.exclude(chosen_point_id="").count() == 7
