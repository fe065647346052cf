from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from rest_framework.test import APIClient

from recovery.models import RecoveryPlan
from tests.api.world import World
from tests.factories.recovery import plan_of
from tests.factories.users import SuperuserFactory, UserFactory
from tests.world_fixtures import aws

__all__ = ["aws"]


@pytest.fixture(autouse=True)
def nobody_has_tried_to_log_in() -> None:
    cache.clear()


@pytest.fixture
def client_of() -> Callable[[Any], APIClient]:
    """A client in somebody's session. It lets errors that nobody anticipated become a 500."""

    def made(user: Any) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.force_login(user)
        return client

    return made


@pytest.fixture
def root(db: None, client_of: Callable[[Any], APIClient]) -> APIClient:
    """The client of somebody who may do everything."""
    return client_of(SuperuserFactory.create(username="root"))


@pytest.fixture
def nobody(db: None, client_of: Callable[[Any], APIClient]) -> APIClient:
    """The client of somebody who may do nothing."""
    return client_of(UserFactory.create(username="nobody"))


@pytest.fixture
def plan(db: None) -> RecoveryPlan:
    """A plan that can be started: one wave, one server."""
    return plan_of()


@pytest.fixture
def world() -> World:
    """What is in the database, to see whether something changed."""
    return World()


@pytest.fixture
def at_once() -> Callable[[list[Callable[[], Any]]], list[Any]]:
    """Run calls in a thread each, all let off together, and return what they returned."""

    def run(calls: list[Callable[[], Any]]) -> list[Any]:
        barrier = Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            try:
                barrier.wait(30)
                return call()
            finally:
                connection.close()

        with ThreadPoolExecutor(len(calls)) as pool:
            return [answer.result(60) for answer in [pool.submit(one, call) for call in calls]]

    return run
