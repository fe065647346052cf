"""What the demo's people enter into the portal: accounts, groups and a plan.

Everything goes in through the API, and what is there already, from an earlier run, stays.
"""

from dataclasses import dataclass
from typing import Any

from drportal.embedded.client import Client
from drportal.simulator import company as simulated

PLAN = "Order to cash"
_TARGETS = (simulated.HUB, simulated.RETAIL, simulated.FINANCE, simulated.LOGISTICS)


@dataclass(frozen=True, slots=True)
class Group:
    """A protection group by tags."""

    name: str
    account: str
    region: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave of the plan. `after` are positions, counted from 1."""

    name: str
    groups: tuple[str, ...]
    after: tuple[int, ...] = ()
    gate: str = ""


def _tier(application: str, tier: str) -> tuple[tuple[str, str], ...]:
    return (("Application", application), ("Tier", tier))


GROUPS = (
    Group("Orders databases", simulated.FINANCE, simulated.EAST, _tier("orders", "database")),
    Group("Payments databases", simulated.FINANCE, simulated.EAST, _tier("payments", "database")),
    Group("Directory", simulated.HUB, simulated.WEST, (("Application", "directory"),)),
    Group("Orders application", simulated.RETAIL, simulated.EAST, _tier("orders", "application")),
    Group(
        "Payments application",
        simulated.FINANCE,
        simulated.EAST,
        _tier("payments", "application"),
    ),
    Group("Orders web", simulated.RETAIL, simulated.EAST, _tier("orders", "web")),
    Group("Payments web", simulated.FINANCE, simulated.EAST, _tier("payments", "web")),
    Group("Storefront", simulated.RETAIL, simulated.EAST, (("Application", "storefront"),)),
    Group("Warehouse web", simulated.LOGISTICS, simulated.EAST, _tier("warehouse", "web")),
)

WAVES = (
    Wave("Databases", ("Orders databases", "Payments databases")),
    Wave("Directory", ("Directory",)),
    Wave("Applications", ("Orders application", "Payments application"), after=(1, 2)),
    Wave(
        "Web",
        ("Orders web", "Payments web"),
        after=(3,),
        gate="Check that orders can be placed against the applications before the web opens.",
    ),
)


def register_accounts(client: Client) -> int:
    """Register the hub and the target accounts; returns how many were new."""
    known = {account["account_id"] for account in client.every("accounts/targets")}
    new = [account for account in _TARGETS if account not in known]
    for account in new:
        client.post("accounts/targets", _account(account))
    return len(new)


def build_plan(client: Client) -> str:
    """Make the groups and the plan, and return the plan's id. Needs the inventory."""
    accounts = {
        account["account_id"]: account["id"] for account in client.every("accounts/targets")
    }
    groups = {group["name"]: group["id"] for group in client.every("protection-groups")}
    for group in GROUPS:
        if group.name not in groups:
            made = client.post("protection-groups", _group(group, accounts[group.account]))
            groups[group.name] = made["id"]
    for plan in client.every("recovery-plans"):
        if plan["name"] == PLAN:
            return str(plan["id"])
    waves = [_wave(wave, groups) for wave in WAVES]
    description = "Takes orders and payments back into business."
    made = client.post("recovery-plans", {"name": PLAN, "description": description, "waves": waves})
    return str(made["id"])


def _account(account: str) -> dict[str, Any]:
    entered: dict[str, Any] = {
        "account_id": account,
        "name": simulated.ACCOUNTS[account],
        "is_hub": account == simulated.HUB,
    }
    if account != simulated.HUB:
        entered["role_arn"] = simulated.role_arn(account)
        entered["external_id"] = simulated.external_id(account)
    return entered


def _group(group: Group, account_id: str) -> dict[str, Any]:
    return {
        "name": group.name,
        "account": account_id,
        "region": group.region,
        "tags": dict(group.tags),
    }


def _wave(wave: Wave, groups: dict[str, str]) -> dict[str, Any]:
    return {
        "name": wave.name,
        "group_ids": [groups[name] for name in wave.groups],
        "depends_on": list(wave.after),
        "gate": bool(wave.gate),
        "gate_instructions": wave.gate,
    }
