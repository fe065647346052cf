"""A hint is sent when the change commits, never holds anybody up, and carries the work's id."""

import importlib
import inspect
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery, current_app
from celery.app.trace import build_tracer
from django.db import transaction

from drportal import jobs
from drportal.jobs import Job, hint
from drportal.observability import correlated, correlation_id

HEADER = "portal_correlation_id"


def _app(broker: str) -> Celery:
    """A Celery application set up as the portal's, with a queue of its own."""
    app = Celery(f"probe-{uuid.uuid4().hex}", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.update(broker_url=broker, task_default_queue=app.main, task_routes={})
    return app


@pytest.fixture
def app(settings, monkeypatch) -> Iterator[Celery]:
    made = _app(settings.REDIS_URL)
    monkeypatch.setattr(jobs, "current_app", made)
    yield made
    with made.connection_for_write() as connection:
        made.amqp.queues[made.main](connection.default_channel).delete()
    made.close()


def _messages(app: Celery) -> list[Any]:
    """What waits in the queue, taken from it."""
    found = []
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[app.main](connection.default_channel)
        queue.declare()
        while (message := queue.get(no_ack=True)) is not None:
            found.append(message)
    return found


@pytest.mark.django_db(transaction=True)
def test_a_hint_is_sent_when_the_change_commits_and_not_before(app) -> None:
    with transaction.atomic():
        hint("frame.probe", plan_id=7)
        assert _messages(app) == []
    [message] = _messages(app)
    _, arguments, _ = message.decode()
    assert message.headers["task"] == "frame.probe"
    assert arguments == {"plan_id": 7}


@transaction.atomic
def _hint_and_fail() -> None:
    hint("frame.probe", plan_id=7)
    raise KeyError


@pytest.mark.django_db(transaction=True)
def test_a_hint_of_a_change_that_was_rolled_back_is_not_sent(app) -> None:
    with pytest.raises(KeyError):
        _hint_and_fail()
    with transaction.atomic():
        hint("frame.kept", plan_id=8)
        with pytest.raises(KeyError):
            _hint_and_fail()
    assert [message.headers["task"] for message in _messages(app)] == ["frame.kept"]


@pytest.mark.django_db(transaction=True)
def test_a_hint_outside_a_transaction_is_sent_at_once(app) -> None:
    hint("frame.probe")
    assert [message.headers["task"] for message in _messages(app)] == ["frame.probe"]


@contextmanager
def _nobody_listens() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: no other process can take it
        yield held.getsockname()[1]


@contextmanager
def _hangs_up() -> Iterator[int]:
    """A broker that closes every connection as soon as it is made."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broker", [_nobody_listens, _hangs_up])
def test_a_broker_that_is_away_is_logged_and_holds_nobody_up(broker, monkeypatch, caplog) -> None:
    with broker() as port:
        away = _app(f"redis://127.0.0.1:{port}/0")
        monkeypatch.setattr(jobs, "current_app", away)
        started = time.monotonic()
        with transaction.atomic():
            hint("frame.probe")
        took = time.monotonic() - started
        away.close()
    assert took < 3
    [record] = [each for each in caplog.records if each.name == "drportal.jobs"]
    assert record.levelname == "WARNING"
    assert "frame.probe was not asked for" in record.getMessage()


def _probe(app: Celery) -> tuple[Any, list[str]]:
    seen: list[str] = []

    @app.task(base=Job, name="frame.probe", shared=False)
    def probe(**_: Any) -> None:
        seen.append(correlation_id())

    return probe, seen


def _run(app: Celery, task: Any, message: Any) -> None:
    """What a worker does with a message."""
    _, arguments, _ = message.decode()
    trace = build_tracer(task.name, task, app=app)
    trace(message.headers["id"], [], arguments, {**message.headers, "is_eager": False})


@pytest.mark.django_db(transaction=True)
def test_the_id_of_the_work_goes_from_the_hint_into_the_task(app) -> None:
    with correlated("a-persons-click"), transaction.atomic():
        hint("frame.probe", plan_id=7)
    [message] = _messages(app)
    assert message.headers[HEADER] == "a-persons-click"
    probe, seen = _probe(app)
    _run(app, probe, message)
    assert seen == ["a-persons-click"]
    assert correlation_id() == ""


@pytest.mark.django_db(transaction=True)
def test_the_hint_carries_the_id_under_which_it_was_given(app) -> None:
    with correlated("around-it"), transaction.atomic(), correlated("the-hints-own"):
        hint("frame.probe")
    [message] = _messages(app)
    assert message.headers[HEADER] == "the-hints-own"


def test_a_task_asked_for_by_a_task_carries_on_the_id(app) -> None:
    probe, seen = _probe(app)
    with correlated("beat-asked-for-it"):
        probe.apply_async(kwargs={"plan_id": 7}, expires=30)
        probe.delay(plan_id=8)
    messages = _messages(app)
    assert [message.headers[HEADER] for message in messages] == ["beat-asked-for-it"] * 2
    for message in messages:
        _run(app, probe, message)
    assert seen == ["beat-asked-for-it"] * 2


def test_a_task_takes_the_id_and_the_headers_it_is_given(app) -> None:
    probe, _ = _probe(app)
    with correlated("not-this-one"):
        probe.apply_async(headers={HEADER: "but-this-one", "other": "kept"})
    [message] = _messages(app)
    assert (message.headers[HEADER], message.headers["other"]) == ("but-this-one", "kept")


def test_a_task_that_nobody_gave_an_id_makes_one(app) -> None:
    probe, seen = _probe(app)
    app.send_task("frame.probe")  # as beat does
    [message] = _messages(app)
    _run(app, probe, message)
    [made] = seen
    assert len(made) == 32


def test_an_unfit_id_in_a_message_is_replaced(app) -> None:
    probe, seen = _probe(app)
    app.send_task("frame.probe", headers={HEADER: "no good\nid"})
    [message] = _messages(app)
    _run(app, probe, message)
    assert len(seen[0]) == 32


def _portals_tasks() -> list[Any]:
    importlib.import_module("drportal.celery")
    current_app.loader.import_default_modules()
    return [
        task
        for name, task in sorted(current_app.tasks.items())
        if not name.startswith(("celery.", "frame."))
    ]


def test_every_task_of_the_portal_is_a_job() -> None:
    tasks = _portals_tasks()
    assert {"recovery.advance", "recovery.tick", "recovery.watch"} <= {each.name for each in tasks}
    for task in tasks:
        assert isinstance(task, Job), task.name
        # It is taken from the queue when it is done, given back when its worker dies, and what
        # it achieved is read from the database.
        assert task.acks_late is True, task.name
        assert task.reject_on_worker_lost is True, task.name
        assert task.ignore_result is True, task.name


def test_every_task_bears_arguments_of_a_newer_sender() -> None:
    for task in _portals_tasks():
        assert "**" in str(inspect.signature(task.run)), task.name
