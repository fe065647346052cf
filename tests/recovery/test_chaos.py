"""The bench `chaos` in small: the engine stands it, and a broken journal does not."""

import pytest

from drportal.simulator.faults import Kind
from recovery.services import executions, launches
from tests.performance import _walk
from tests.performance._walk import walk
from tests.world_fixtures import aws  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

SEED = "suite"


def test_nothing_is_lost_doubled_or_untrue_where_processes_die(aws):  # noqa: F811
    found = walk(f"{SEED}:0")
    assert found.verdict.all() == []
    assert found.deaths >= 10
    assert found.executions >= 1


def test_a_journal_that_does_not_look_is_found_out(aws, monkeypatch):  # noqa: F811
    """An engine that asks again without looking launches twice, and the bench says so."""
    monkeypatch.setattr(launches, "answer_to", lambda *_: None)
    monkeypatch.setattr(_walk, "LOST", (Kind.DROP_AFTER,) * 4)
    monkeypatch.setattr(_walk, "CALM_ROUNDS", 20)
    monkeypatch.setattr(executions, "cancel", lambda *_, **__: None)
    found = walk(f"{SEED}:0")
    assert found.verdict.duplicate_jobs
