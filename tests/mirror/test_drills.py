"""Drills by schedule and clean-ups survive the loss of the portal, and nothing is done twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drportal.mirror import services
from recovery.models import CleanUp, DrillOccurrence, DrillSchedule, Execution, Termination
from recovery.models.drill_schedules import OccurrenceState
from recovery.services import clean_ups, drill_schedules
from recovery.tasks import clean_up_drill, start_due_drills, start_scheduled_drill
from tests.clean_ups import carried_out, there
from tests.mirror.emptying import lose_everything
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.schedules import DUE, at, beat, by, maker, scheduled
from tests.worlds import drill, group_of, plan_of, registered, server, wave, world_of

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
MODELS = (DrillSchedule, DrillOccurrence, CleanUp)


def rows():
    return [list(model._default_manager.order_by("pk").values()) for model in MODELS]


@pytest.fixture
def plan(aws):
    world_of([server("web-1")])
    made = Store()
    registered()
    yield plan_of(wave("Web", group_of("web")))
    made.close()


def restored() -> None:
    lose_everything()
    assert services.restore(take_over=True).left_out == []


def look() -> None:
    start_due_drills()
    for pk in DrillOccurrence.objects.values_list("pk", flat=True):
        start_scheduled_drill(occurrence_id=str(pk))


def test_what_is_to_come_is_as_it_was(plan):
    schedule = scheduled(plan, approvers=(maker(plan).username,), clean_up_after_hours=4)
    with at(DUE - 2 * HOUR):
        drill_schedules.skip_next(schedule, reason="freeze", actor=by(maker(plan)))
    beat(DUE - 2 * HOUR)
    with at(DUE - HOUR):
        drain_all()
        before = rows()
        restored()
        assert rows() == before
        drain_all()
        both_sides_equal()


def test_a_drill_that_had_started_is_not_started_again(plan):
    """The mirror knows of the occurrence only that it was announced."""
    schedule = scheduled(plan)
    beat(DUE - HOUR)
    with at(DUE - HOUR):
        drain_all()
    beat(DUE, plan=plan)
    assert Execution.objects.count() == 1
    with at(DUE + timedelta(minutes=10)):
        restored()
        assert not Execution.objects.exists()
        look()
        found = DrillOccurrence.objects.get()
        assert found.state == OccurrenceState.MISSED
        assert "may have been started" in found.message
        assert not Execution.objects.exists()
        schedule = DrillSchedule.objects.get(pk=schedule.pk)
        assert schedule.next_at == DUE + timedelta(weeks=1)
        drain_all()
        both_sides_equal()


def test_one_of_which_the_mirror_knows_nothing_is_not_started_either(plan):
    scheduled(plan)
    with at(DUE - HOUR):
        drain_all()
    beat(DUE, plan=plan)
    with at(DUE + timedelta(minutes=10)):
        restored()
        look()
        assert not DrillOccurrence.objects.exists()
        assert not Execution.objects.exists()


def test_people_are_warned_anew_before_a_clean_up_and_it_runs_once(plan, driver):
    execution = driver.run(drill(plan))
    clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    found = CleanUp.objects.get()
    clean_up_drill(clean_up_id=str(found.pk))
    assert CleanUp.objects.get().warned_at is not None
    drain_all()
    later = timezone.now() + 61 * timedelta(minutes=1)
    with at(later):
        clean_up_drill(clean_up_id=str(found.pk))
    assert Termination.objects.count() == 1
    with at(later):
        restored()
        clean_up_drill(clean_up_id=str(found.pk))
        clean_up_drill(clean_up_id=str(found.pk))
        assert not Termination.objects.exists()
        assert CleanUp.objects.get().warned_at == later


def test_one_that_was_started_is_not_started_again(plan, driver):
    execution = driver.run(drill(plan))
    clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    found = CleanUp.objects.get()
    clean_up_drill(clean_up_id=str(found.pk))
    later = timezone.now() + 61 * timedelta(minutes=1)
    with at(later):
        clean_up_drill(clean_up_id=str(found.pk))
    carried_out(Termination.objects.get())
    assert there() == set()
    with at(later + 24 * HOUR):
        drain_all()
        before = rows()
        restored()
        assert rows() == before
        clean_up_drill(clean_up_id=str(found.pk))
        assert Termination.objects.count() == 1
