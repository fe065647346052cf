"""A small estate that has one of everything, the same at every build."""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.moto_api._internal import mock_random

from drportal.simulator.accounts import Account, Role
from drportal.simulator.clock import ManualClock
from drportal.simulator.identifiers import stable
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.resources import Disk, Origin, Replication, SourceServer
from drportal.simulator.servers import add_server
from drportal.simulator.world import world
from tests.simulator.fidelity.player import AWAY, HOME, HUB, STAGING, TARGET

START = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
GIB = 1024**3
LINUX = "Amazon Linux release 2023.5"
WINDOWS = "Microsoft Windows Server 2022 Datacenter"
STATES = (
    "STOPPED",
    "INITIATING",
    "INITIAL_SYNC",
    "BACKLOG",
    "CREATING_SNAPSHOT",
    "CONTINUOUS",
    "PAUSED",
    "RESCAN",
    "STALLED",
    "DISCONNECTED",
)


def backend_of(account: str = HUB, region: str = HOME) -> DRSBackend:
    return drs_backends[account][region]


def server_id(name: str, account: str = HUB, region: str = HOME) -> str:
    return stable("s-", account, region, name)


def reset() -> ManualClock:
    """An empty world with its series of random values started again."""
    world.reset()
    clock = ManualClock(START)
    world.clock = clock
    mock_random.seed(7)
    for account, name in ((HUB, "hub"), (TARGET, "target"), (STAGING, "staging")):
        world.accounts.add_account(Account(account, name))
        world.accounts.add_role(Role(f"arn:aws:iam::{account}:role/portal", [HUB]))
    return clock


def add(
    name: str,
    *,
    account: str = HUB,
    region: str = HOME,
    os: str = LINUX,
    state: str = "CONTINUOUS",
    from_ec2: bool = True,
    **more: Any,
) -> str:
    """Register a source server; returns its id."""
    backend = backend_of(account, region)
    identifier = server_id(name, account, region)
    add_server(
        backend,
        SourceServer(
            id=identifier,
            arn=backend.arn_of("source-server", identifier),
            hostname=name,
            fqdn=f"{name}.example.com",
            os=os,
            added_at=START - timedelta(days=30),
            first_byte_at=None if state == "INITIATING" else START - timedelta(days=30),
            replication=replication(state),
            disks=[Disk("/dev/xvda", 8 * GIB), Disk("/dev/xvdb", 20 * GIB)],
            cpus=2,
            ram=8 * GIB,
            ip="172.31.1.10",
            mac="02:00:00:00:00:01",
            instance_type="m5.large",
            zone=f"{region}a",
            origin=Origin(account, AWAY, f"{AWAY}a", stable("i-", name)) if from_ec2 else None,
            **more,
        ),
        tags={"Application": name.partition("-")[0]},
    )
    return identifier


def replication(state: str) -> Replication:
    since = START - timedelta(minutes=20)
    if state in {"INITIATING", "INITIAL_SYNC"}:
        return Replication(state, since, synced=0.0 if state == "INITIATING" else 0.4)
    if state == "STALLED":
        return Replication(state, since, error="NOT_CONVERGING", raw_error="too slow")
    if state in {"STOPPED", "DISCONNECTED"}:
        return Replication(state, since, synced=0.0)
    return Replication(
        state, since, lag=timedelta(minutes=5) if state == "BACKLOG" else timedelta()
    )


def build() -> ManualClock:
    """The estate: the hub recovers in HOME, TARGET extends servers of STAGING, AWAY is empty."""
    clock = reset()
    for account, region in ((HUB, AWAY), (TARGET, HOME), (STAGING, HOME)):
        backend_of(account, region).initialized = True
    for name in ("web-1", "web-2", "db-1", "db-2"):
        add(name)
    add("win-1", os=WINDOWS)
    add("prem-1", from_ec2=False)
    add("prem-2", from_ec2=False)
    for state in STATES:
        add(f"state-{state.lower()}", state=state)
    for name in ("staged-1", "staged-2", "staged-3"):
        staged = add(name, account=STAGING)
        # With the default key, DRS would not extend them.
        settings = backend_of(STAGING).replication_configurations[staged]
        settings["ebsEncryption"] = "NONE"
    role = f"arn:aws:iam::{STAGING}:role/service-role/DRSStagingAccountRole_{TARGET}"
    world.accounts.add_role(Role(role, ["drs.amazonaws.com"]))
    return clock
