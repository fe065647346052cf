"""Fixtures for tests that ask simulated AWS in their own process; see `tests.worlds`."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from drportal.aws.roles import forget_sessions
from drportal.aws.session import forget_clients
from drportal.simulator.registration import register
from drportal.simulator.world import World, world
from tests.worlds import EAST, WEST, Driver


@pytest.fixture
def aws(settings, monkeypatch) -> Iterator[World]:
    """Simulated AWS in this process; `tests.worlds` fills it."""
    # moto would parse 2,000 images for every account and Region; nothing here looks at one.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    settings.AWS_ENDPOINT_URL = ""
    settings.DRS_REGIONS = [EAST, WEST]
    register()
    forget_clients()
    forget_sessions()
    with mock_aws():
        world.reset()
        yield world
        world.reset()
    forget_clients()
    forget_sessions()


@pytest.fixture
def driver() -> Driver:
    return Driver()
