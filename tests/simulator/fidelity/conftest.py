import os
from collections.abc import Iterator
from functools import partial

import pytest
from moto import mock_aws

from drportal.simulator.clock import ManualClock
from drportal.simulator.registration import register
from drportal.simulator.server import Running, start
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import backend_of, build
from tests.simulator.fidelity.player import AWAY, HUB, Player, client
from tests.simulator.fidelity.recording import Recording, record

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": AWAY,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # a launch needs none, and they take long to make
}


@pytest.fixture(scope="package", autouse=True)
def keys() -> Iterator[None]:
    """Keys that moto did not issue belong to the hub. MOTO_ACCOUNT_ID would merge all accounts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
            patch.delenv(name)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def clock(keys: None) -> Iterator[ManualClock]:
    """The estate in process, new for this test and initialized, and its clock."""
    register()
    with mock_aws():
        made = build()
        backend_of().initialized = True
        yield made
        world.reset()


@pytest.fixture
def player(clock: ManualClock) -> Player:
    return Player(client)


@pytest.fixture(scope="package")
def server(keys: None) -> Iterator[Running]:
    """Simulated AWS over HTTP. The world behind it is the one of this process."""
    running = start(scenario={"hub": HUB, "accounts": [{"id": HUB}]})
    yield running
    running.stop()


@pytest.fixture
def clock_over_http(server: Running) -> Iterator[ManualClock]:
    """The estate behind the server, new for this test and initialized, and its clock."""
    made = build()
    backend_of().initialized = True
    yield made
    world.reset()


@pytest.fixture
def player_over_http(server: Running, clock_over_http: ManualClock) -> Player:
    return Player(partial(client, endpoint=server.url))


def _recorded(*, strict: bool) -> Recording:
    register()
    with mock_aws():
        try:
            return record(client, strict=strict)
        finally:
            world.reset()


@pytest.fixture(scope="package")
def recorded(keys: None) -> Recording:
    """The long run as DRS really answers."""
    return _recorded(strict=False)


@pytest.fixture(scope="package")
def recorded_strictly(keys: None) -> Recording:
    """The long run with the deviations of DRS from its model switched off."""
    return _recorded(strict=True)


@pytest.fixture(scope="package")
def recorded_over_http(server: Running) -> Recording:
    """The long run over HTTP."""
    try:
        return record(partial(client, endpoint=server.url))
    finally:
        world.reset()
