"""Asking AWS while somebody waits: at most five seconds, and no more often than need be.

An answer is kept for a while and always shown with its age. What is not answered in time is not
known; its answer is kept when it does come, for whoever asks next.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, Generic, TypeVar

from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from redis.exceptions import RedisError

from drportal.aws.errors import AwsError
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus
from protection.rules.regions import status_of

logger = logging.getLogger(__name__)

T = TypeVar("T")
Key = tuple[str, ...]

PATIENCE = 5.0  # seconds that one request may spend on AWS (architecture, rule H7)
_THREADS = 32


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What AWS told at `at`; or, with a `status` that is not ACTIVE, that it did not, and why."""

    value: T | None
    at: datetime
    status: RegionStatus = RegionStatus.ACTIVE
    problem: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """Something to ask AWS. `key` names it for everybody: what was asked, of which account and
    Region. An answer that is `worth` it is kept for `keep`.
    """

    key: Key
    ask: Callable[[], T]
    keep: timedelta
    worth: Callable[[T], bool] = lambda _: True


class _Desk:
    """The threads that ask. Who wants to know what is being asked already waits for that."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="live")
        self._lock = RLock()  # what is done at once is forgotten within `put`
        self._under_way: dict[Key, Future[Told[Any]]] = {}

    def put(self, question: Question[Any]) -> Future[Told[Any]]:
        with self._lock:
            asked = self._under_way.get(question.key)
            if asked is None:
                asked = self._pool.submit(self._answer, question, correlation_id())
                self._under_way[question.key] = asked
                asked.add_done_callback(lambda _: self._forget(question.key))
        return asked

    def _forget(self, key: Key) -> None:
        with self._lock:
            self._under_way.pop(key, None)

    def _answer(self, question: Question[Any], work: str) -> Told[Any]:
        with correlated(work):
            try:
                told = Told(question.ask(), timezone.now())
            except AwsError as error:
                return _untold(error)
            finally:
                connection.close()
        if question.worth(told.value):
            _keep(question, told)
        return told


_desk = _Desk()


@reaches_outside
def ask(
    questions: Sequence[Question[T]], *, fresh: bool = False, patience: float | None = None
) -> dict[Key, Told[T]]:
    """What AWS tells to each of `questions`, by key, after `patience` seconds (by default
    PATIENCE) at the most.

    Kept answers are taken unless `fresh`. AWS's failures are answers too; they are not raised,
    and not kept.
    """
    patience = PATIENCE if patience is None else patience
    until = time.monotonic() + patience
    found: dict[Key, Told[T]] = {} if fresh else _kept(questions)
    waiting = {each.key: _desk.put(each) for each in questions if each.key not in found}
    wait(waiting.values(), timeout=max(0.0, until - time.monotonic()))
    for key, future in waiting.items():
        found[key] = _taken(future, patience)
    return found


def _taken(future: Future[Told[Any]], patience: float) -> Told[Any]:
    if future.done():
        return future.result()
    problem = f"no answer came within {patience:g} s"
    status = RegionStatus.ENDPOINT_UNREACHABLE
    return Told(None, timezone.now(), status=status, problem=problem)


def _untold(error: AwsError) -> Told[Any]:
    return Told(
        None,
        timezone.now(),
        status=status_of(error),
        problem=error.message,
        retry_after=error.retry_after,
    )


def _name(key: Key) -> str:
    # The number is that of the kept shapes: it changes with any dataclass that is an answer.
    return "live:1:" + ":".join(key)


def _kept(questions: Sequence[Question[Any]]) -> dict[Key, Told[Any]]:
    names = {_name(question.key): question.key for question in questions}
    try:
        found: Mapping[str, Told[Any]] = cache.get_many(names)
    except RedisError:
        logger.warning("the cache is away: AWS is asked anew")
        return {}
    return {names[name]: told for name, told in found.items()}


def _keep(question: Question[Any], told: Told[Any]) -> None:
    try:
        cache.set(_name(question.key), told, timeout=question.keep.total_seconds())
    except RedisError:
        logger.warning("the cache is away: an answer is not kept")
