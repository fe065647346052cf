"""The world that `engine` launches: accounts, servers, and a plan for each execution."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

REGIONS = ("us-east-1", "eu-west-1")
HUB = "100000000001"
ACCOUNTS = tuple(f"1000000000{n:02}" for n in range(1, 11))
PAIRS = tuple((account, region) for account in ACCOUNTS for region in REGIONS)
EXTERNAL_ID = "a-shared-word"


@dataclass(frozen=True, slots=True)
class Size:
    """So many waves one after the other, of so many servers each."""

    waves: int
    servers: int


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/DRSOrchestrationRole"


def scenario(plans: int, size: Size) -> dict[str, Any]:
    """The servers of so many plans, each plan's in one account and Region."""
    return {
        "hub": HUB,
        "accounts": [{"id": each, "initialized": list(REGIONS)} for each in ACCOUNTS],
        "roles": [
            {"arn": role(each), "trust": [HUB], "externalId": EXTERNAL_ID}
            for each in ACCOUNTS
            if each != HUB
        ],
        "quotas": {"replicating_servers": 4000},
        # Conversion servers are moto's work, and nothing that the portal looks at.
        "settings": {"conversion_servers_in_ec2": False},
        "servers": [
            _server(f"{plan:03}-{number:03}", *place_of(plan))
            for plan in range(plans)
            for number in range(size.waves * size.servers)
        ],
    }


def place_of(plan: int) -> tuple[str, str]:
    """The account and Region of a plan's servers."""
    return PAIRS[plan % len(PAIRS)]


def _server(name: str, account: str, region: str) -> dict[str, Any]:
    return {
        "account": account,
        "region": region,
        "hostname": name,
        "os": "Ubuntu 22.04.4 LTS",
        "tags": {"Name": name},
        "disks": [{"device": "/dev/xvda", "GiB": 8}],
    }


def register() -> None:
    """Tell the portal of the accounts, and let it list their servers."""
    from drportal.actor import PORTAL
    from protection.services import accounts, inventory

    for account in ACCOUNTS:
        hub = account == HUB
        accounts.register(
            account_id=account,
            name=f"account {account[-2:]}",
            is_hub=hub,
            role_arn="" if hub else role(account),
            external_id="" if hub else EXTERNAL_ID,
            actor=PORTAL,
        )
    inventory.sync(actor=PORTAL)


def plan(number: int, size: Size) -> Any:
    """The plan of that number: each wave launches a group of its own, and waits for the one before.
    A preflight lets it start.
    """
    from drportal.actor import PORTAL
    from protection.models import SourceServer, TargetAccount
    from protection.services import groups
    from recovery.services import plans
    from tests.factories.recovery import PreflightFactory

    account, region = place_of(number)
    target = TargetAccount.objects.get(account_id=account)
    servers = SourceServer.objects.filter(
        account=target, region=region, name__startswith=f"{number:03}-"
    )
    ids = list(servers.order_by("name").values_list("pk", flat=True))
    waves = []
    for position in range(1, size.waves + 1):
        group = groups.create(
            name=f"group {number:03}-{position:02}",
            account=target,
            region=region,
            server_ids=ids[(position - 1) * size.servers : position * size.servers],
            actor=PORTAL,
        )
        waves.append(
            plans.WaveSpec(
                name=f"wave {position}",
                group_ids=(group.pk,),
                depends_on=(position - 1,) if position > 1 else (),
                time_limit=timedelta(hours=6),
            )
        )
    made = plans.create(name=f"plan {number:03}", waves=waves, actor=PORTAL)
    PreflightFactory.create(plan=made)
    return made
