"""The page of a dry run: what a start would do, and what nobody knows."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from drportal.adminkit.widgets import Tone
from recovery.admin.timeline import Bar, timeline
from recovery.models import Execution
from recovery.states import ExecutionState, ServerState, WaveState
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import (
    ExecutionFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)

pytestmark = pytest.mark.django_db


def page(browser, plan, query: str = "") -> str:
    link = reverse("admin:recovery_recoveryplan_dry_run", args=[plan.pk])
    answer = browser.get(f"{link}?{query}" if query else link)
    assert answer.status_code == 200
    said: str = answer.content.decode()
    return said


def launched(minutes: int) -> None:
    ended = timezone.now() - timedelta(days=1)
    past = ExecutionFactory.create(state=ExecutionState.COMPLETED)
    WaveServerFactory.create(
        wave=WaveFactory.create(execution=past, state=WaveState.COMPLETED),
        state=ServerState.LAUNCHED,
        started_at=ended - timedelta(minutes=minutes),
        finished_at=ended,
    )


@pytest.fixture
def plan():
    return plan_of(
        ProtectionGroupFactory.create(),
        ProtectionGroupFactory.create(),
        name="Shop",
        rto=timedelta(minutes=25),
    )


def test_it_is_linked_and_calls_unknown_what_was_never_launched(root, plan):
    link = reverse("admin:recovery_recoveryplan_dry_run", args=[plan.pk])
    start = reverse("admin:recovery_recoveryplan_start", args=[plan.pk, "drill"])
    assert link in root.get(start).content.decode()
    shown = page(root, plan)
    assert "Nothing was launched here yet, so nobody knows how long it takes." in shown
    assert "nothing, for 1 of its servers" in shown
    assert 'dr-unsure">Unknown</span>' in shown
    assert "<svg" not in shown.partition("Dry run of Shop")[2].partition("Waves and jobs")[0]
    assert "Met" not in shown
    assert not Execution.objects.exists()


def test_it_shows_times_from_past_launches_against_the_rto(root, plan):
    launched(10)
    launched(20)
    shown = page(root, plan)
    assert "2 launches of servers of this installation" in shown
    assert 'dr-good">Met</span>' in shown
    assert 'dr-bad">Missed</span>' in shown
    assert "+20 min" in shown
    assert "+40 min" in shown
    assert "dr-times" in shown
    assert "RTO: 25 min" in shown


def test_a_gate_makes_it_at_least_and_a_part_says_so(root):
    launched(10)
    gated = plan_of(
        ProtectionGroupFactory.create(), ProtectionGroupFactory.create(), gates=(2,), name="Gated"
    )
    shown = page(root, gated)
    assert "a person at its gate, for as long as that takes" in shown
    assert "at least +20 min" in shown
    part = page(root, gated, "waves=1")
    assert "Only wave 1." in part
    assert "left out" in part
    assert "at least" not in part.partition('id="jobs"')[2]


def test_what_would_be_refused_is_said(root, plan):
    assert "It would not start. The plan has no wave 3." in page(root, plan, "from_wave=3")


def test_the_drawing_keeps_to_its_frame_and_escapes_names():
    minute = timedelta(minutes=1)
    drawn = timeline(
        [Bar("<b>", "said", 0 * minute, 10 * minute, 20 * minute, open=True, tone=Tone.UNSURE)],
        target=40 * minute,
    )
    assert "<b>" not in drawn
    assert "dr-open" in drawn
    assert "dr-target" in drawn
    nothing = Bar("a", "b", 0 * minute, 0 * minute, 0 * minute, open=True, tone=Tone.PLAIN)
    assert timeline([nothing]) == timeline([]) == ""
