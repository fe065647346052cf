from collections.abc import Iterator

import pytest
from moto import mock_aws

from drportal.aws import dynamodb
from drportal.aws.roles import forget_sessions
from tests.mirror.store import Store
from tests.world_fixtures import aws, driver

__all__ = ["aws", "driver"]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[Store]:
    """DynamoDB in memory, with all tables made, and the switches of its misbehaviour."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    settings.AWS_ENDPOINT_URL = ""
    _forget()
    with mock_aws():
        made = Store()
        yield made
        made.close()
    _forget()


def _forget() -> None:
    forget_sessions()
    dynamodb.forget_hub()
