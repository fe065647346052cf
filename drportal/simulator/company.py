"""The demo's company: a hub account, three target accounts and a staging account, two Regions.

Every id is the same at every start. The servers of `storefront`, `orders` and `payments` are all
healthy, and `orders` spans two accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HUB = "123456789012"
RETAIL = "210000000001"
FINANCE = "210000000002"
LOGISTICS = "210000000003"
STAGING = "310000000001"
EAST = "us-east-1"
WEST = "us-west-2"
REGIONS = (EAST, WEST)

ROLE = "DRSOrchestrationRole"
ACCOUNTS = {
    HUB: "hub",
    RETAIL: "retail",
    FINANCE: "finance",
    LOGISTICS: "logistics",
    STAGING: "staging",
}
# Two of the accounts have not enabled one of the opt-in Regions.
NOT_OPTED_IN = {RETAIL: ["me-south-1"], LOGISTICS: ["af-south-1"]}

_AMAZON_LINUX = "Amazon Linux 2023.5.20240805"
_RHEL = "Red Hat Enterprise Linux 8.10 (Ootpa)"
_UBUNTU = "Ubuntu 22.04.4 LTS"
_WINDOWS_2016 = "Microsoft Windows Server 2016 Datacenter 10.0.14393"
_WINDOWS_2019 = "Microsoft Windows Server 2019 Datacenter 10.0.17763"
_WINDOWS_2022 = "Microsoft Windows Server 2022 Datacenter 10.0.20348"

_SHORT = {"database": "db", "application": "app", "web": "web"}
# Cores, RAM in GiB, size of the data disk in GiB (0: none), instance type.
_SIZES = {
    "database": (8, 64, 500, "r5.2xlarge"),
    "application": (4, 16, 100, "m5.xlarge"),
    "web": (2, 8, 0, "m5.large"),
}


@dataclass(frozen=True)
class Tier:
    """So many servers of one tier of an application, in one account and Region."""

    application: str
    account: str
    region: str
    name: str
    count: int
    os: str
    owner: str
    environment: str = "production"
    on_aws: bool = False
    # Replication by the number of the server, counted from 1; the others are CONTINUOUS.
    replication: dict[int, dict[str, Any]] = field(default_factory=dict)


_TIERS = (
    Tier("storefront", RETAIL, EAST, "database", 2, _AMAZON_LINUX, "retail-platform"),
    Tier("storefront", RETAIL, EAST, "application", 3, _UBUNTU, "retail-platform"),
    Tier("storefront", RETAIL, EAST, "web", 4, _UBUNTU, "retail-platform"),
    Tier("orders", FINANCE, EAST, "database", 2, _RHEL, "order-management"),
    Tier("orders", RETAIL, EAST, "application", 2, _AMAZON_LINUX, "order-management"),
    Tier("orders", RETAIL, EAST, "web", 2, _UBUNTU, "order-management"),
    Tier("payments", FINANCE, EAST, "database", 2, _RHEL, "payments", on_aws=True),
    Tier("payments", FINANCE, EAST, "application", 4, _WINDOWS_2019, "payments", on_aws=True),
    Tier("payments", FINANCE, EAST, "web", 2, _WINDOWS_2022, "payments", on_aws=True),
    Tier(
        "ledger",
        FINANCE,
        WEST,
        "database",
        2,
        _RHEL,
        "accounting",
        replication={2: {"state": "BACKLOG", "lagSeconds": 2700}},
    ),
    Tier(
        "ledger",
        FINANCE,
        WEST,
        "application",
        4,
        _WINDOWS_2016,
        "accounting",
        replication={4: {"state": "INITIAL_SYNC", "synced": 0.43, "sinceHours": 5}},
    ),
    Tier(
        "archive",
        FINANCE,
        WEST,
        "application",
        4,
        _AMAZON_LINUX,
        "accounting",
        environment="test",
        replication={
            1: {"state": "STOPPED", "sinceHours": 72},
            2: {"state": "INITIATING", "sinceHours": 0.05},
        },
    ),
    Tier(
        "warehouse",
        LOGISTICS,
        EAST,
        "database",
        2,
        _RHEL,
        "supply-chain",
        on_aws=True,
        replication={
            2: {
                "state": "STALLED",
                "lagSeconds": 14400,
                "sinceHours": 4,
                "error": "NOT_CONVERGING",
                "rawError": "The replication server cannot keep up with the writes of the disk.",
            }
        },
    ),
    Tier(
        "warehouse",
        LOGISTICS,
        EAST,
        "application",
        4,
        _UBUNTU,
        "supply-chain",
        on_aws=True,
        replication={3: {"state": "BACKLOG", "lagSeconds": 420}},
    ),
    Tier("warehouse", LOGISTICS, EAST, "web", 2, _WINDOWS_2022, "supply-chain", on_aws=True),
    Tier("fleet", LOGISTICS, WEST, "database", 1, _AMAZON_LINUX, "supply-chain"),
    Tier(
        "fleet",
        LOGISTICS,
        WEST,
        "application",
        3,
        _UBUNTU,
        "supply-chain",
        replication={2: {"state": "PAUSED", "lagSeconds": 10800, "sinceHours": 3}},
    ),
    Tier("fleet", LOGISTICS, WEST, "web", 2, _UBUNTU, "supply-chain"),
    Tier(
        "analytics",
        RETAIL,
        WEST,
        "database",
        2,
        _RHEL,
        "insights",
        replication={2: {"state": "DISCONNECTED", "sinceHours": 240}},
    ),
    Tier(
        "analytics",
        RETAIL,
        WEST,
        "application",
        4,
        _AMAZON_LINUX,
        "insights",
        environment="test",
        replication={
            1: {"state": "RESCAN", "sinceHours": 1},
            4: {
                "state": "STALLED",
                "lagSeconds": 86400,
                "sinceHours": 24,
                "error": "AGENT_NOT_SEEN",
                "rawError": "The agent has not been seen for 24 hours.",
            },
        },
    ),
    Tier(
        "intranet",
        HUB,
        EAST,
        "database",
        1,
        _AMAZON_LINUX,
        "workplace",
        replication={1: {"state": "CREATING_SNAPSHOT", "sinceHours": 1}},
    ),
    Tier("intranet", HUB, EAST, "application", 2, _WINDOWS_2019, "workplace"),
    Tier("intranet", HUB, EAST, "web", 2, _UBUNTU, "workplace"),
    Tier("directory", HUB, WEST, "application", 2, _WINDOWS_2022, "workplace"),
    Tier("reporting", STAGING, WEST, "database", 2, _RHEL, "insights"),
    Tier("reporting", STAGING, WEST, "application", 4, _UBUNTU, "insights"),
    Tier("reporting", STAGING, WEST, "web", 2, _UBUNTU, "insights"),
)

# Servers of the staging account that the logistics account recovers.
_EXTENDED = (
    ("reporting-db-01", "database"),
    ("reporting-db-02", "database"),
    ("reporting-app-01", "application"),
    ("reporting-app-02", "application"),
    ("reporting-app-03", "application"),
    ("reporting-web-01", "web"),
)

# A server that cannot be extended: its volumes have the default key.
_WITH_DEFAULT_KEY = "reporting-web-02"
_KEY_ID = "5f1c7a52-3c0b-4c4e-9a5e-0d3f6e1b7c21"
STAGING_KEY = f"arn:aws:kms:{WEST}:{STAGING}:key/{_KEY_ID}"


def role_arn(account: str) -> str:
    """The role in an account that the hub assumes."""
    return f"arn:aws:iam::{account}:role/{ROLE}"


def external_id(account: str) -> str:
    """The ExternalId that the account's role asks for."""
    return f"dr-portal-{account}"


def scenario() -> dict[str, Any]:
    """The company as a scenario."""
    return {
        "hub": HUB,
        "accounts": [
            {
                "id": account,
                "name": name,
                "hub": account == HUB,
                "initialized": list(REGIONS),
                "notOptedIn": NOT_OPTED_IN.get(account, []),
            }
            for account, name in ACCOUNTS.items()
        ],
        "roles": _roles(),
        "keys": [{"account": STAGING, "region": WEST, "id": _KEY_ID}],
        "servers": [server for tier in _TIERS for server in _servers(tier)],
        "extensions": [
            {
                "target": LOGISTICS,
                "region": WEST,
                "stagingAccount": STAGING,
                "server": hostname,
                "tier": tier,
                "tags": _tags("reporting", tier, "insights", "production") | {"Name": hostname},
            }
            for hostname, tier in _EXTENDED
        ],
    }


def _roles() -> list[dict[str, Any]]:
    root = f"arn:aws:iam::{HUB}:root"
    roles: list[dict[str, Any]] = [
        {"arn": role_arn(account), "trust": [root], "externalId": external_id(account)}
        for account in ACCOUNTS
        if account != HUB
    ]
    trusting = f"arn:aws:iam::{STAGING}:role/service-role/DRSStagingAccountRole_{LOGISTICS}"
    return [*roles, {"arn": trusting, "trust": [f"arn:aws:iam::{LOGISTICS}:root"]}]


def _tags(application: str, tier: str, owner: str, environment: str) -> dict[str, str]:
    return {
        "Application": application,
        "Environment": environment,
        "Tier": tier,
        "Owner": owner,
        "CostCenter": f"CC-{1000 + sum(map(ord, owner)) % 9000}",
        "Criticality": "high" if tier == "database" else "medium",
    }


def _servers(tier: Tier) -> list[dict[str, Any]]:
    return [_server(tier, number) for number in range(1, tier.count + 1)]


def _server(tier: Tier, number: int) -> dict[str, Any]:
    hostname = f"{tier.application}-{_SHORT[tier.name]}-{number:02d}"
    cores, ram, data_disk, instance_type = _SIZES[tier.name]
    server: dict[str, Any] = {
        "account": tier.account,
        "region": tier.region,
        "hostname": hostname,
        "os": tier.os,
        "tags": _tags(tier.application, tier.name, tier.owner, tier.environment)
        | {"Name": hostname},
        "cpus": cores,
        "ramGiB": ram,
        "disks": _disks(data_disk, windows="Windows" in tier.os),
        "ip": _address(tier, number),
        "instanceType": instance_type,
        "addedDaysAgo": 30 + sum(map(ord, hostname)) % 300,
        "replication": tier.replication.get(number, {}),
        "launchConfiguration": {"copyTags": True},
    }
    if tier.account == STAGING and hostname != _WITH_DEFAULT_KEY:
        key = {"ebsEncryption": "CUSTOM", "ebsEncryptionKeyArn": STAGING_KEY}
        server["replicationConfiguration"] = key
    if tier.on_aws:
        origin = WEST if tier.region == EAST else EAST
        server["origin"] = {"account": tier.account, "region": origin, "zone": f"{origin}b"}
    return server


def _disks(data_disk: int, *, windows: bool) -> list[dict[str, Any]]:
    root, more = ("/dev/sda1", "xvdb") if windows else ("/dev/xvda", "/dev/xvdb")
    disks: list[dict[str, Any]] = [{"device": root, "GiB": 100 if windows else 30}]
    return [*disks, {"device": more, "GiB": data_disk}] if data_disk else disks


def _address(tier: Tier, number: int) -> str:
    line = _TIERS.index(tier)
    network = "172.20" if tier.on_aws else "192.168"
    return f"{network}.{10 + line}.{10 + number}"
