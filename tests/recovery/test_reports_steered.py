"""What the report says of an execution that people paused, tried again or left servers out of."""

from datetime import timedelta

import pytest
from django.utils import timezone

from recovery.engine.measures import Spent
from recovery.models import Execution
from recovery.services.reports import report
from recovery.states import ExecutionState, ServerState
from tests.factories.recovery import (
    ExecutionEventFactory,
    ExecutionFactory,
    WaveFactory,
    WaveServerFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def begin():
    return timezone.now() - timedelta(hours=2)


def told(execution: Execution, *events: tuple[str, int]) -> None:
    for kind, minutes in events:
        at = execution.created_at + timedelta(minutes=minutes)
        ExecutionEventFactory.create(execution=execution, kind=f"execution.{kind}", at=at)


@pytest.mark.parametrize(
    ("events", "minutes"),
    [
        ([("pause_requested", 10), ("pause_lifted", 40)], 30),
        ([("pause_requested", 10), ("pause_lifted", 20), ("pause_requested", 95)], 15),
        ([("ended", 10), ("reopened", 60), ("ended", 100)], 50),
        ([("ended", 100)], 0),
        ([("pause_lifted", 40)], 0),
    ],
)
def test_the_time_that_people_let_it_stand_is_theirs(begin, events, minutes):
    end = begin + timedelta(minutes=100)
    execution = ExecutionFactory.create(
        state=ExecutionState.COMPLETED, created_at=begin, finished_at=end
    )
    told(execution, *events)
    spent = report(execution).measured.spent
    assert spent[Spent.PEOPLE] == timedelta(minutes=minutes)
    assert spent[Spent.PORTAL] == timedelta(minutes=100 - minutes)


def test_what_was_left_out_is_not_waited_for(begin):
    execution = ExecutionFactory.create(state=ExecutionState.COMPLETED, created_at=begin)
    wave = WaveFactory.create(execution=execution)
    back = begin + timedelta(minutes=30)
    WaveServerFactory.create(wave=wave, state=ServerState.LAUNCHED, finished_at=back)
    WaveServerFactory.create(wave=wave, state=ServerState.LEFT_OUT, finished_at=begin)
    measured = report(execution).measured
    assert measured.rto_taken == timedelta(minutes=30)
    assert (measured.waves[0].critical, measured.waves[0].launched) == (1, 1)
