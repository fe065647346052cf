import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drportal.aws.roles import forget_sessions
from drportal.aws.session import forget_clients
from drportal.simulator import server
from drportal.simulator.world import World, world
from tests.journeys.processes import Beat

REGIONS = [
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    *("eu-west-1", "eu-west-2", "eu-central-1", "ca-central-1"),
]


@pytest.fixture(autouse=True)
def one_at_a_time() -> Iterator[None]:
    """Journeys start workers of their own: two at once would measure the machine, not us."""
    path = Path(tempfile.gettempdir()) / f"drportal-journeys-{os.getuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def aws(settings, monkeypatch) -> Iterator[World]:
    """Simulated AWS over HTTP, in real time; what takes minutes there takes seconds."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    running = server.start(scenario={"accounts": [{"id": "123456789012", "hub": True}]}, speed=200)
    settings.AWS_ENDPOINT_URL = running.url
    settings.DRS_REGIONS = REGIONS
    forget_clients()
    forget_sessions()
    yield world
    running.stop()
    world.reset()
    forget_clients()
    forget_sessions()


@pytest.fixture
def beat(transactional_db) -> Iterator[Beat]:
    running = Beat()
    yield running
    running.stop()
