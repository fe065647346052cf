"""A lease is known to be lost when it is, whatever keeps it from being renewed."""

import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from recovery.services.leases import Lease, LeaseLost


class Rows:
    """A row whose updates go as they are told: a number of rows, or an error."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.lease: Any = None

    def filter(self, **_):
        return self

    def update(self, **_):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer == "over":
            self.lease.stop()
            return 1
        return answer


def kept(rows: Any) -> Lease:
    lease = Lease(rows, uuid.uuid4(), timezone.now())
    rows.lease = lease
    lease.keep()
    return lease


@pytest.fixture(autouse=True)
def short(settings):
    settings.LEASE_SECONDS = 0.4


def test_what_is_renewed_is_held():
    kept(Rows(1, 1, "over")).must_be_held()


def test_what_somebody_else_has_is_lost():
    with pytest.raises(LeaseLost):
        kept(Rows(1, 0)).must_be_held()


def test_a_database_that_is_away_for_a_moment_does_not_end_it():
    kept(Rows(OperationalError("away"), 1, "over")).must_be_held()


def test_what_cannot_be_renewed_is_lost_when_its_time_is_over():
    """Another worker takes it then, so whoever holds it must know."""
    with pytest.raises(LeaseLost):
        kept(Rows(OperationalError("away"))).must_be_held()
