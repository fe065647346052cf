"""Asking AWS while somebody waits: bounded, kept with an age, and never twice at once."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisIsAway

from drportal.aws.errors import AwsError, Call, Failure
from protection.choices import RegionStatus
from queries.live import PATIENCE, Question, ask

HOUR = timedelta(hours=1)
_PATIENCE = PATIENCE  # before a fixture changes it
HERE = Call("DescribeJobs", "210000000001", "us-east-1")


def question(ask_: Callable[[], object], name: str = "one") -> Question[object]:
    return Question(("test", name), ask_, HOUR)


class Counting:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def fails(failure: Failure, aws_code: str = "") -> Callable[[], object]:
    def asked() -> object:
        raise AwsError(failure, "why not", call=HERE, aws_code=aws_code, retry_after=7)

    return asked


def test_an_answer_is_kept_with_its_time():
    counting = Counting()
    before = timezone.now()
    [first] = ask([question(counting)]).values()
    [second] = ask([question(counting)]).values()
    assert (first.value, second.value, counting.times) == (1, 1, 1)
    assert before <= first.at == second.at <= timezone.now()
    assert first.status == RegionStatus.ACTIVE


def test_who_insists_is_told_anew_and_that_is_kept():
    counting = Counting()
    ask([question(counting)])
    [fresh] = ask([question(counting)], fresh=True).values()
    [kept] = ask([question(counting)]).values()
    assert (fresh.value, kept.value) == (2, 2)


def test_it_is_kept_for_so_long_and_no_longer(monkeypatch):
    lifetimes = {}

    class Watched:
        def get_many(self, names: object) -> dict[str, object]:
            return {}

        def set(self, name: str, told: object, timeout: float) -> None:
            lifetimes[name] = timeout

    monkeypatch.setattr("queries.live.cache", Watched())
    ask([Question(("test", "short"), Counting(), timedelta(seconds=30))])
    assert lifetimes == {"live:1:test:short": 30}


@pytest.mark.parametrize(
    ("failure", "aws_code", "status"),
    [
        (Failure.ACCESS_DENIED, "", RegionStatus.IAM_PERMISSION_DENIED),
        (Failure.THROTTLED, "", RegionStatus.THROTTLED),
        (Failure.NOT_INITIALIZED, "", RegionStatus.NOT_INITIALIZED),
        (Failure.CREDENTIALS, "UnrecognizedClientException", RegionStatus.REGION_NOT_ENABLED),
        (Failure.OTHER, "", RegionStatus.ERROR),
    ],
)
def test_a_failure_is_an_answer_that_is_not_kept(failure, aws_code, status):
    [told] = ask([question(fails(failure, aws_code))]).values()
    assert (told.value, told.status, told.problem) == (None, status, "why not")
    assert told.retry_after == 7
    [mended] = ask([question(lambda: "well")]).values()
    assert mended.value == "well"


def test_one_that_fails_takes_no_other_with_it():
    found = ask([question(fails(Failure.THROTTLED)), question(lambda: 5, "two")])
    assert found[("test", "one")].value is None
    assert found[("test", "two")].value == 5


def test_what_is_not_worth_keeping_is_asked_again():
    counting = Counting()
    asked = Question(("test", "one"), counting, HOUR, worth=lambda value: value > 1)
    assert [next(iter(ask([asked]).values())).value for _ in range(3)] == [1, 2, 2]


def test_what_takes_too_long_is_not_known_and_is_kept_when_it_comes():
    may_end, ended = Event(), Event()

    def slow() -> str:
        may_end.wait(30)
        return "late"

    def worth(_: object) -> bool:
        ended.set()
        return True

    asked = Question(("test", "slow"), slow, HOUR, worth=worth)
    [told] = ask([asked], patience=0.05).values()
    assert told.value is None
    assert told.status == RegionStatus.ENDPOINT_UNREACHABLE
    assert "within 0.05 s" in told.problem
    may_end.set()
    assert ended.wait(30)
    [later] = ask([asked], patience=30).values()
    assert later.value == "late"


def test_what_is_being_asked_is_not_asked_twice():
    may_end = Event()
    counting = Counting()

    def slow() -> int:
        may_end.wait(30)
        return counting()

    asked = question(slow, "twice")
    for _ in range(3):
        [told] = ask([asked], patience=0).values()
        assert told.value is None
    may_end.set()
    [told] = ask([asked], patience=30).values()
    assert (told.value, counting.times) == (1, 1)


def test_a_bug_is_raised():
    def broken() -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask([question(broken)])


def test_without_the_cache_aws_is_asked_each_time(monkeypatch):
    class Away:
        def get_many(self, names: object) -> object:
            raise RedisIsAway("connection refused")

        def set(self, *_: object, **__: object) -> None:
            raise RedisIsAway("connection refused")

    monkeypatch.setattr("queries.live.cache", Away())
    counting = Counting()
    assert [next(iter(ask([question(counting)]).values())).value for _ in range(2)] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_it_is_not_asked_inside_a_transaction():
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        ask([question(lambda: 1)])


def test_a_request_waits_for_five_seconds_at_the_most():
    assert _PATIENCE == 5
