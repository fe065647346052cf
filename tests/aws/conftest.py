import os
from collections.abc import Iterator

import pytest

from drportal.aws.roles import forget_sessions
from drportal.aws.session import forget_clients
from tests.aws.loopback import Loopback
from tests.world_fixtures import aws, driver

__all__ = ["aws", "driver"]


@pytest.fixture
def loopback(settings, monkeypatch) -> Iterator[Loopback]:
    """A server that counts attempts and answers as it is told, in the place of all of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # Attempts follow each other at once: how long boto waits between them is its own affair.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", _at_once)
    settings.AWS_READ_TIMEOUT_SECONDS = 0.5
    server = Loopback()
    settings.AWS_ENDPOINT_URL = server.url
    forget_clients()
    forget_sessions()
    yield server
    server.stop()
    forget_clients()
    forget_sessions()


def _at_once(*_: object) -> float:
    return 0
