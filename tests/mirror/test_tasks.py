"""The mirror's task, as a worker runs it."""

import pytest

from drportal.celery import app
from drportal.jobs import Job
from drportal.mirror.models import OutboxEntry
from drportal.mirror.tasks import drain
from tests.factories.protection import TargetAccountFactory
from tests.mirror.store import both_sides_equal, mark

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_task_sends_what_is_due(store):
    mark("TargetAccounts", *(account.pk for account in TargetAccountFactory.create_batch(3)))
    drain(anything="that beat or a later version may add")
    assert not OutboxEntry.objects.exists()
    both_sides_equal()


def test_the_task_may_run_twice_and_keeps_no_result():
    task = app.tasks[drain.name]
    assert isinstance(task, Job)
    assert (task.acks_late, task.ignore_result) == (True, True)
