from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from protection.models import StagingAccount, StagingLink, TargetAccount
from tests.factories.users import SuperuserFactory
from tests.world_fixtures import aws
from tests.worlds import EXTERNAL_ID, role

__all__ = ["aws"]


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def boto_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long boto waits between two tries is its own affair."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is no slow AWS: what a time limit does has tests of its own."""
    monkeypatch.setattr("queries.live.PATIENCE", 60.0)


@pytest.fixture
def client_of() -> Callable[[Any], APIClient]:
    def made(user: Any) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.force_login(user)
        return client

    return made


@pytest.fixture
def root(db: None, client_of: Callable[[Any], APIClient]) -> APIClient:
    return client_of(SuperuserFactory.create(username="root"))


@pytest.fixture
def staging_of() -> Callable[..., StagingAccount]:
    """A staging account that is no target, serving `targets`."""

    def made(
        account_id: str, *targets: TargetAccount, external_id: str = EXTERNAL_ID
    ) -> StagingAccount:
        row = StagingAccount.objects.create(
            account_id=account_id,
            name=f"staging {account_id[-1]}",
            role_arn=role(account_id),
            external_id=external_id,
        )
        for target in targets:
            StagingLink.objects.create(target=target, staging=row, added_by="somebody")
        return row

    return made
