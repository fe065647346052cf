"""Starts PostgreSQL and Redis before Django reads its settings, once per run.

pytest loads this module because `addopts` names it (`-p`): a conftest would come too late, since
pytest-django loads the settings before any conftest. Each run has servers of its own in a temporary
directory, so any number of runs may go on at once. The workers of pytest-xdist share the
controller's: each has its own databases (pytest-django) and its own Redis number.

An address that the environment gives (DATABASE_URL, REDIS_URL) is used as it is.
"""

import os
import shutil
from collections.abc import Callable, Generator
from urllib.parse import urlsplit

import pytest

from drportal.embedded.places import runtime_directory
from drportal.embedded.postgres import FAST, start_postgres
from drportal.embedded.redis import start_redis

_to_undo: list[Callable[[], None]] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """A wrapper, because pytest-django's own hook runs before any that is not."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        number = int(worker.removeprefix("gw")) + 1
        os.environ["REDIS_URL"] = (
            urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}").geturl()
        )
    else:
        _start()
    return (yield)


def pytest_unconfigure() -> None:
    while _to_undo:
        _to_undo.pop()()


def _start() -> None:
    if "DATABASE_URL" in os.environ and "REDIS_URL" in os.environ:
        return
    place = runtime_directory()
    _to_undo.append(lambda: shutil.rmtree(place, ignore_errors=True))
    if "DATABASE_URL" not in os.environ:
        server = start_postgres(
            place / "data", sockets=place / "s", log=place / "postgres.log", options=FAST
        )
        _to_undo.append(server.stop)
        os.environ["DATABASE_URL"] = server.url("portal")
        _to_undo.append(lambda: os.environ.__delitem__("DATABASE_URL"))
    if "REDIS_URL" not in os.environ:
        redis = start_redis(place / "redis", log=place / "redis.log")
        _to_undo.append(redis.stop)
        os.environ["REDIS_URL"] = redis.url()
        _to_undo.append(lambda: os.environ.__delitem__("REDIS_URL"))
