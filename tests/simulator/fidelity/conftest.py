from collections.abc import Iterator

import pytest
from moto import mock_aws

from drportal.simulator.clock import ManualClock
from drportal.simulator.registration import register
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import build

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
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
def estate(keys: None) -> Iterator[ManualClock]:
    """The estate in process, new for this test, initialized; its clock."""
    register()
    with mock_aws():
        clock = build()
        yield clock
        world.reset()
