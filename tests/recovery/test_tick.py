"""What a worker takes first when more is due than it can do at once."""

import uuid

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.utils import timezone

from recovery import tasks
from recovery.models import JobWatch
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import ExecutionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(monkeypatch):
    """An engine's queue of this test's own, read as a worker reads it."""
    name = f"engine-{uuid.uuid4().hex}"
    for task in (tasks.advance, tasks.watch, tasks.terminate):
        send = task.apply_async
        monkeypatch.setattr(
            task, "apply_async", lambda send=send, **options: send(queue=name, **options)
        )
    yield name
    for key in redis.Redis.from_url(settings.REDIS_URL).scan_iter(f"{name}*"):
        redis.Redis.from_url(settings.REDIS_URL).delete(key)


def test_an_execution_does_not_wait_behind_the_polls_of_many_places(queue):
    for _ in range(3):
        JobWatch.objects.create(
            account=TargetAccountFactory.create(), region="us-east-1", due_at=timezone.now()
        )
    ExecutionFactory.create(due_at=timezone.now())
    tasks.tick()
    with current_app.connection_for_read() as connection:
        waiting = connection.SimpleQueue(queue)
        found = []
        for _ in range(4):
            message = waiting.get(block=False)
            found.append(message.headers["task"])
            message.ack()
        waiting.close()
    assert found == ["recovery.advance", *["recovery.watch"] * 3]
