"""Simulated AWS for tests of any package.

Import the fixtures into the package's conftest:

    from tests.simulated_aws import aws, aws_server  # noqa: F401 - fixtures

`aws`         in process: boto3 clients made in the test reach moto, and DRS with it. The world is
              empty, its clock stands still until `aws.clock.advance(...)`. Put things there with
              `aws.load(scenario)`; `company.scenario()` is the demo's, `healthy(...)` a small one.
`aws_server`  over HTTP, in threads of this process, with the real clock at speed 600 and the
              demo's company. AWS_ENDPOINT_URL is set, so that other processes reach it too.

Either way the keys in the environment are dummies, which are the hub account's, and no other AWS
setting of the machine is seen. The world is one per process: a test uses one of the two.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from drportal.simulator import company, scenario
from drportal.simulator.clock import ManualClock
from drportal.simulator.control import Control
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.registration import register
from drportal.simulator.server import start
from drportal.simulator.world import world

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SPEED = 600.0
KEYS = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated"}


def healthy(
    count: int = 2,
    *,
    account: str = company.HUB,
    region: str = company.EAST,
    os_name: str = "Ubuntu 22.04.4 LTS",
    **members: Any,
) -> dict[str, Any]:
    """A scenario of one account with `count` servers, web-01 and so on, all CONTINUOUS.

    `members` go into every server.
    """
    return {
        "hub": account,
        "accounts": [{"id": account, "initialized": [region]}],
        "servers": [
            {
                "account": account,
                "region": region,
                "hostname": f"web-{number:02d}",
                "os": os_name,
                **members,
            }
            for number in range(1, count + 1)
        ],
    }


@cache
def _session() -> Any:
    # One for all tests: each new one reads the service models again.
    return boto3.session.Session(
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


@dataclass
class Clients:
    """boto3 clients, of the hub or of a role session. No call is repeated by botocore."""

    endpoint_url: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def client(
        self, service: str, region: str = company.EAST, keys: dict[str, str] | None = None
    ) -> Any:
        config = Config(**({"retries": {"total_max_attempts": 1}} | self.options))
        named = {
            "aws_access_key_id": (keys or {}).get("AccessKeyId"),
            "aws_secret_access_key": (keys or {}).get("SecretAccessKey"),
            "aws_session_token": (keys or {}).get("SessionToken"),
        }
        return _session().client(
            service, region_name=region, config=config, endpoint_url=self.endpoint_url, **named
        )

    def assume(self, account: str) -> dict[str, str]:
        """The keys of the company's role in an account."""
        answer = self.client("sts").assume_role(
            RoleArn=company.role_arn(account),
            RoleSessionName="portal",
            ExternalId=company.external_id(account),
        )
        keys: dict[str, str] = answer["Credentials"]
        return keys

    def drs(self, account: str = company.HUB, region: str = company.EAST) -> Any:
        keys = None if account == company.HUB else self.assume(account)
        return self.client("drs", region, keys)


@dataclass
class InProcess(Clients):
    """Simulated AWS in this process."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START))

    def load(self, given: dict[str, Any]) -> None:
        """Make the world from a scenario. The clock goes on."""
        scenario.load(given)

    def backend(self, account: str = company.HUB, region: str = company.EAST) -> DRSBackend:
        """DRS's own state there, for what its API cannot do."""
        return drs_backends[account][region]


@dataclass
class OverHTTP(Clients):
    """Simulated AWS behind a URL, and its control channel."""

    url: str = ""

    @property
    def control(self) -> Control:
        return Control(self.url)


def _without_machine_settings(patch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.startswith("AWS_") or name == "MOTO_ACCOUNT_ID"
    ]:
        patch.delenv(name)
    settings = KEYS | {
        "AWS_DEFAULT_REGION": company.EAST,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    for name, value in settings.items():
        patch.setenv(name, value)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """Simulated AWS in process; see the module."""
    _without_machine_settings(monkeypatch)
    register()
    with mock_aws():
        world.reset()
        made = InProcess()
        world.clock = made.clock
        yield made
        world.reset()


@pytest.fixture
def aws_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OverHTTP]:
    """Simulated AWS over HTTP; see the module."""
    _without_machine_settings(monkeypatch)
    running = start(speed=SPEED)
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
    yield OverHTTP(endpoint_url=running.url, url=running.url)
    running.stop()
    world.reset()
