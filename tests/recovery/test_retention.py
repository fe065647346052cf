"""Old executions are let go of: by setting only, and never while anything of them may run."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.mirror.models import OutboxEntry
from recovery.failback_states import FailbackState
from recovery.models import Execution
from recovery.services import retention
from recovery.states import ExecutionState, JobState, Kind
from recovery.tasks import forget_executions
from tests.factories.drills import CleanUpFactory, DrillOccurrenceFactory
from tests.factories.failbacks import FailbackFactory
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    RecoveryPlanFactory,
    WaveFactory,
)
from tests.factories.terminations import launched

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def kept(settings):
    settings.EXECUTIONS_KEPT_DAYS = 365


@pytest.fixture
def plan():
    return RecoveryPlanFactory.create()


def ended(plan, days_ago, **more):
    return ExecutionFactory.create(
        **{
            "plan": plan,
            "state": ExecutionState.COMPLETED,
            "finished_at": timezone.now() - days_ago * DAY,
            **more,
        }
    )


def test_what_is_older_goes_with_its_rows_and_the_record_and_the_mirror_say_so(plan):
    old = ended(plan, 400, reason="long ago")
    wave = WaveFactory.create(execution=old)
    occurrence = DrillOccurrenceFactory.create(execution=old, state="STARTED")
    failback = FailbackFactory.create(execution=old, state=FailbackState.COMPLETED)
    young = ended(plan, 10)
    OutboxEntry.objects.all().delete()
    forget_executions()
    assert list(Execution.objects.all()) == [young]
    told = AuditRecord.objects.get(event="recovery.execution.forgotten")
    assert (told.subject_id, told.facts["reason"]) == (str(old.pk), "long ago")
    marked = set(OutboxEntry.objects.values_list("kind", "object_id"))
    assert marked >= {
        ("ExecutionHistory", str(old.pk)),
        ("WaveStatus", str(wave.pk)),
        ("DrillOccurrences", str(occurrence.pk)),
        ("Failbacks", str(failback.pk)),
    }
    occurrence.refresh_from_db()
    assert occurrence.execution is None


def test_nothing_goes_without_the_setting(plan, settings):
    settings.EXECUTIONS_KEPT_DAYS = 0
    ended(plan, 4000)
    ended(plan, 4)
    forget_executions()
    assert Execution.objects.count() == 2


def test_the_latest_of_each_kind_and_outcome_stays(plan):
    latest = [
        ended(plan, 500),
        ended(plan, 450, state=ExecutionState.FAILED),
        ended(plan, 600, kind=Kind.RECOVERY),
    ]
    ended(plan, 700)
    orphan = ended(None, 800, plan_name="gone")
    forget_executions()
    assert set(Execution.objects.all()) == set(latest)
    assert not Execution.objects.filter(pk=orphan.pk).exists()


def test_what_may_still_run_or_is_worked_on_stays():
    running = launched()
    launching = ended(running.plan, 400)
    LaunchJobFactory.create(wave=WaveFactory.create(execution=launching), state=JobState.QUEUED)
    planned = CleanUpFactory.create(execution=ended(running.plan, 400)).execution
    returning = FailbackFactory.create(
        execution=ended(running.plan, 400, kind=Kind.RECOVERY)
    ).execution
    ended(running.plan, 2, kind=Kind.RECOVERY)
    Execution.objects.filter(pk=running.pk).update(finished_at=timezone.now() - 400 * DAY)
    ended(running.plan, 1)
    forget_executions()
    assert {running, launching, planned, returning} <= set(Execution.objects.all())


def test_a_turn_is_bounded(plan, monkeypatch):
    monkeypatch.setattr(retention, "_MOST", 3)
    for days in range(400, 406):
        ended(plan, days)
    ended(plan, 1)
    forget_executions()
    assert Execution.objects.count() == 4
