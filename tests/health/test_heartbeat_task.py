"""The heartbeat, through the real broker."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from drportal import heartbeats
from drportal.celery import app
from drportal.mirror.schedules import SCHEDULES
from drportal.tasks import _sent_at, heartbeat

QUEUE = "tests-heartbeat"


@pytest.fixture
def sent():
    """The message of one heartbeat."""
    before = timezone.now()
    with app.connection_for_write() as connection:
        queue = connection.SimpleQueue(QUEUE)
        queue.clear()
        app.tasks[heartbeat.name].apply_async(queue=QUEUE, headers={"mine": "kept"})
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    return before, message


def test_a_message_says_when_it_was_sent(sent):
    before, message = sent
    at = _sent_at(SimpleNamespace(headers=message.headers))
    assert at is not None
    assert timedelta(0) <= at - before < timedelta(seconds=10)
    assert message.headers["mine"] == "kept"


@pytest.mark.django_db
def test_the_task_notes_both(sent):
    _, message = sent
    task = app.tasks[heartbeat.name]
    task.push_request(
        headers=message.headers, **{k: v for k, v in message.headers.items() if "portal" in k}
    )
    try:
        task.run()
    finally:
        task.pop_request()
    heard = heartbeats.last_heard()
    assert heard["beat"] <= heard["worker"]
    assert set(heard) == {"beat", "worker"}


def test_every_schedule_is_of_a_task_that_exists():
    app.loader.import_default_modules()
    for schedule in SCHEDULES:
        assert schedule.task in app.tasks
        assert schedule.expires >= schedule.every
    assert {schedule.name for schedule in SCHEDULES} == {"Send changes to DynamoDB", "Heartbeat"}


@pytest.mark.django_db
def test_the_engine_shows_that_it_looks():
    before = timezone.now()
    app.loader.import_default_modules()
    app.tasks["recovery.tick"].run()
    assert heartbeats.last_heard()[heartbeats.ENGINE] >= before
