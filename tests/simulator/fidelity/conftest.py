from collections.abc import Iterator

import pytest
from moto import mock_aws

from drportal.simulator.clock import ManualClock
from drportal.simulator.registration import register
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import backend_of, build
from tests.simulator.fidelity.player import AWAY, Player, client
from tests.simulator.fidelity.recording import Recording, record

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": AWAY,
}


@pytest.fixture(scope="session", autouse=True)
def keys() -> Iterator[None]:
    """Keys that moto did not issue belong to the hub. MOTO_ACCOUNT_ID would merge all accounts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        for name in ("MOTO_ACCOUNT_ID", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DRS", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
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


def _recorded(*, strict: bool) -> Recording:
    register()
    with mock_aws():
        try:
            return record(client, strict=strict)
        finally:
            world.reset()


@pytest.fixture(scope="session")
def recorded(keys: None) -> Recording:
    """The long run as DRS really answers."""
    return _recorded(strict=False)


@pytest.fixture(scope="session")
def recorded_strictly(keys: None) -> Recording:
    """The long run with the deviations of DRS from its model switched off."""
    return _recorded(strict=True)
