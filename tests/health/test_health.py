import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import redis
import time_machine
from django.db import OperationalError
from django.test import RequestFactory
from django.utils import timezone

from drportal import health, heartbeats
from drportal.mirror.models import OutboxEntry
from drportal.models import Heartbeat

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ask(view=health.readyz, method="get"):
    response = getattr(RequestFactory(), method)("/readyz")
    answer = view(response)
    return answer.status_code, json.loads(answer.content) if answer.content else {}


def beat(*, worker=0.0, beat=0.0, engine=0.0):
    for name, ago in (("worker", worker), ("beat", beat), ("engine", engine)):
        at = timezone.now() - timedelta(seconds=ago)
        Heartbeat.objects.update_or_create(name=name, defaults={"at": at})


def statuses(body):
    return {name: check["status"] for name, check in body["checks"].items()}


class NoDatabase:
    def cursor(self):
        raise OperationalError("connection to server at db.internal (10.0.0.9) failed: secret")


def test_the_process_answers_without_asking_anybody(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(health, "connection", NoDatabase())
    with django_assert_num_queries(0):
        assert ask(health.healthz) == (200, {"status": "OK"})


def test_all_is_well():
    beat()
    code, body = ask()
    assert (code, body["status"]) == (200, "OK")
    assert set(statuses(body).values()) == {"OK"}
    asked = {"database", "broker", "worker", "engine", "beat", "mirror", "restored"}
    assert set(body["checks"]) == asked
    assert body["checks"]["worker"]["age_seconds"] < 5


def test_what_never_gave_a_sign_of_life_is_unknown_and_not_ok():
    code, body = ask()
    assert code == 200
    assert body["status"] == "UNKNOWN"
    assert statuses(body)["worker"] == statuses(body)["beat"] == "UNKNOWN"


@pytest.fixture
def waiting(settings):
    """Let messages wait, in queues that no worker of the suite reads."""
    settings.CELERY_BROKER_URL = urlsplit(settings.CELERY_BROKER_URL)._replace(path="/9").geturl()
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as broker:
        broker.flushdb()
        yield lambda queue: broker.lpush(queue, "a message")
        broker.flushdb()


def test_a_worker_that_stopped_is_seen_and_then_nobody_hears_beat(waiting):
    waiting("default")
    beat(worker=31, beat=31)
    code, body = ask()
    assert (code, body["status"]) == (200, "FAILED")
    assert statuses(body)["worker"] == "FAILED"
    assert statuses(body)["beat"] == "UNKNOWN"
    assert body["checks"]["worker"]["age_seconds"] == pytest.approx(31, abs=2)


def test_a_beat_that_stopped_is_seen(waiting):
    beat(worker=1, beat=60)
    _, body = ask()
    assert statuses(body)["worker"] == "OK"
    assert statuses(body)["beat"] == "FAILED"


def test_without_beat_no_worker_is_blamed(waiting):
    beat(worker=60, beat=60, engine=60)
    _, body = ask()
    assert body["status"] == "FAILED"
    assert statuses(body)["beat"] == "FAILED"
    assert statuses(body)["worker"] == statuses(body)["engine"] == "UNKNOWN"


def test_an_engine_that_stopped_is_seen_while_other_workers_live(waiting):
    waiting("engine")
    beat(engine=31)
    code, body = ask()
    assert (code, body["status"]) == (200, "FAILED")
    assert statuses(body)["engine"] == "FAILED"
    assert statuses(body)["worker"] == statuses(body)["beat"] == "OK"


def test_without_a_broker_a_late_worker_counts_as_failed(settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    beat(worker=60, beat=60, engine=60)
    _, body = ask()
    assert statuses(body)["worker"] == statuses(body)["engine"] == "FAILED"
    assert statuses(body)["beat"] == "UNKNOWN"


def test_a_mirror_that_lags_is_seen():
    beat()
    OutboxEntry.objects.create(
        kind="TargetAccounts",
        object_id="1",
        transaction=1,
        due_at=timezone.now(),
        attempts=3,
        last_error="arn:aws:iam::111122223333:role/hidden",
        behind_since=timezone.now() - timedelta(seconds=90),
    )
    _, body = ask()
    assert statuses(body)["mirror"] == "OK"
    assert body["checks"]["mirror"]["age_seconds"] == pytest.approx(90, abs=2)
    assert "1 objects wait to be sent, 1 of them" in body["checks"]["mirror"]["detail"]
    OutboxEntry.objects.update(behind_since=timezone.now() - timedelta(minutes=3))
    code, body = ask()
    assert (code, statuses(body)["mirror"]) == (200, "FAILED")
    assert "hidden" not in json.dumps(body)


def test_without_the_database_it_is_not_ready(monkeypatch):
    monkeypatch.setattr(health, "connection", NoDatabase())
    code, body = ask()
    assert (code, body["status"]) == (503, "FAILED")
    assert statuses(body) == {
        "database": "FAILED",
        "broker": "OK",
        "worker": "UNKNOWN",
        "engine": "UNKNOWN",
        "beat": "UNKNOWN",
        "mirror": "UNKNOWN",
        "restored": "UNKNOWN",
    }
    assert not {"db.internal", "10.0.0.9", "secret"} & set(json.dumps(body).split())


def test_a_database_that_goes_away_meanwhile_is_unknown(monkeypatch):
    def gone():
        raise OperationalError("gone")

    monkeypatch.setattr(heartbeats, "last_heard", gone)
    _, body = ask()
    assert statuses(body)["worker"] == statuses(body)["mirror"] == "UNKNOWN"
    assert body["status"] == "UNKNOWN"


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@127.0.0.1:1/0", "unix:///nowhere/broker.sock", "nonsense"]
)
def test_without_the_broker_it_is_not_ready(settings, url):
    beat()
    settings.CELERY_BROKER_URL = url
    code, body = ask()
    assert (code, body["status"], statuses(body)["broker"]) == (503, "FAILED", "FAILED")
    text = json.dumps(body)
    assert "hunter2" not in text
    assert "127.0.0.1" not in text
    assert "nowhere" not in text


@pytest.mark.parametrize("view", [health.healthz, health.readyz])
def test_health_is_only_read_and_never_cached(view):
    assert ask(view, "post")[0] == 405
    answer = view(RequestFactory().get("/"))
    assert "no-store" in answer["Cache-Control"]


def test_a_heartbeat_tells_of_both():
    with time_machine.travel(NOW, tick=False):
        heartbeats.heard(sent_at=NOW - timedelta(seconds=2))
    assert heartbeats.last_heard() == {"worker": NOW, "beat": NOW - timedelta(seconds=2)}


def test_the_engine_gives_a_sign_of_its_own():
    with time_machine.travel(NOW, tick=False):
        heartbeats.engine_looked()
    assert heartbeats.last_heard() == {"engine": NOW}


def test_a_message_that_was_held_up_makes_beat_no_older():
    for sent in (10, 2, 40):
        heartbeats.heard(sent_at=NOW - timedelta(seconds=sent))
    assert heartbeats.last_heard()["beat"] == NOW - timedelta(seconds=2)


def test_a_message_from_the_future_counts_as_of_now():
    with time_machine.travel(NOW, tick=False):
        heartbeats.heard(sent_at=NOW + timedelta(days=1))
    assert heartbeats.last_heard()["beat"] == NOW


def test_a_message_that_says_no_time_tells_of_the_worker_only():
    heartbeats.heard(sent_at=None)
    assert set(heartbeats.last_heard()) == {"worker"}
