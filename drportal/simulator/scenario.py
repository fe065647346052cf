"""A simulated world written down as JSON.

All but `accounts` and what is marked * is optional; every error names the place and the reason.

hub         account id of any dummy key (or mark an account with `hub`: true)
speed seed  of the clock and of the random source
settings    members of `Settings`, durations in seconds
quotas      members of `Quotas`
accounts    id*, name, hub, initialized (Regions), notOptedIn (Regions), forbidden (patterns of
            actions that the organization denies)
roles       arn*, trust (ARNs, account ids or "*"), externalId, policy (an IAM policy document)
keys        account*, region*, id*, manager (CUSTOMER or AWS): of KMS
servers     account*, region*, hostname*, os*, id, fqdn, tags, ip, cpus, ramGiB, disks (device*,
            GiB), instanceType, architecture, volumeStatus, addedDaysAgo, origin (account*,
            region*, zone, instanceId), replication (state, lagSeconds, synced, sinceHours, error,
            rawError), launchConfiguration and replicationConfiguration (by wire name),
            launchTemplate (LaunchTemplateData)
extensions  target*, region*, stagingAccount*, server* (id or host name), tier, tags
faults      members of `Fault`

An initialized Region has a recovery network (`drportal.simulator.network`), and a server whose tag
Tier names one of its tiers is launched there.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from moto.moto_api._internal import mock_random

from drportal.simulator.accounts import DEFAULT_HUB, Account, Registry, Role
from drportal.simulator.exceptions import DRSError
from drportal.simulator.faults import Fault
from drportal.simulator.keys import MANAGERS, add_key
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.network import Network, build
from drportal.simulator.reader import Reader, ScenarioError
from drportal.simulator.scenario_servers import find_server, load_server
from drportal.simulator.staging import extend
from drportal.simulator.world import DEFAULT_SEED, World, world

Networks = dict[tuple[str, str], Network]


def read(path: Path) -> dict[str, Any]:
    """The scenario in a file. Raises ScenarioError."""
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise ScenarioError(f"{path}: is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ScenarioError(f"{path}: must hold one JSON object.")
    return value


def load(scenario: dict[str, Any]) -> None:
    """Make the world anew from a scenario, under its lock.

    The same scenario gives the same ids, those of EC2 too; what is made later gets fresh ids.
    Raises ScenarioError, and then leaves an empty world.
    """
    with world.lock:
        clock = world.clock
        world.reset()
        world.clock = clock
        try:
            _load(Reader(scenario, ""))
        except ScenarioError:
            world.reset()
            world.clock = clock
            raise
        finally:
            mock_random.seed()


def _load(root: Reader) -> None:
    seed = root.optional("seed", int, DEFAULT_SEED)
    world.seed(seed)
    mock_random.seed(seed)
    if "speed" in root.rest():
        world.clock.speed = root.number("speed", 1.0, least=0.001)
    apply_settings(world, root.member("settings"), root.member("quotas"))
    world.accounts = Registry(root.optional("hub", str, DEFAULT_HUB))
    networks = _load_accounts(root)
    for each in root.objects("roles"):
        _load_role(each)
    for each in root.objects("keys"):
        _load_key(each)
    for each in root.objects("servers"):
        _load_at_place(each, networks)
    for each in root.objects("extensions"):
        _load_extension(each, networks)
    for each in root.objects("faults"):
        _load_fault(each)
    root.finish()


def apply_settings(target: World, settings: Reader, quotas: Reader) -> None:
    """Change members of the world's settings; durations are given in seconds."""
    _apply(target.settings, settings)
    _apply(target.settings.quotas, quotas)


def _apply(target: object, given: Reader) -> None:
    if not is_dataclass(target):
        raise TypeError("Settings are dataclasses.")
    known = {each.name: getattr(target, each.name) for each in fields(target)}
    for name in given.rest():
        current = known.get(name)
        if isinstance(current, timedelta):
            setattr(target, name, timedelta(seconds=given.number(name, 0, least=0)))
        elif isinstance(current, float):
            setattr(target, name, float(given.number(name, 0, least=0)))
        elif isinstance(current, bool | int | str):
            setattr(target, name, given.required(name, type(current)))
    given.finish()


def _load_accounts(root: Reader) -> Networks:
    networks: Networks = {}
    for each in root.objects("accounts"):
        account = _load_account(each)
        for region in each.texts("initialized"):
            backend = _backend(each, "initialized", account.id, region)
            backend.initialized = True
            octet = 10 + (len(networks) % 200)
            networks[account.id, region] = build(backend, octet)
        each.finish()
    if not world.accounts.accounts:
        raise ScenarioError("accounts: there must be at least one.")
    return networks


def _load_account(each: Reader) -> Account:
    account_id = each.required("id", str)
    if account_id in world.accounts.accounts:
        raise each.refuse("id", f"{account_id} is there twice.")
    name = each.optional("name", str, account_id)
    try:
        regions, forbidden = set(each.texts("notOptedIn")), set(each.texts("forbidden"))
        account = Account(account_id, name, regions, forbidden)
    except ValueError as error:
        raise each.refuse("id", error) from error
    if each.optional("hub", bool, default=False):
        world.accounts.hub = account_id
    return world.accounts.add_account(account)


def _backend(each: Reader, member: str, account: str, region: str) -> DRSBackend:
    if account not in world.accounts.accounts:
        raise each.refuse(member, f"there is no account {account}.")
    backends = drs_backends[account]
    if region not in backends:
        raise each.refuse(member, f"DRS has no Region {region}.")
    return backends[region]


def _load_role(each: Reader) -> None:
    arn = each.required("arn", str)
    external_id = each.optional("externalId", str, "")
    try:
        policy = each.optional("policy", dict, {}) or None
        role = Role(arn, each.texts("trust"), external_id or None, policy)
    except ValueError as error:
        raise each.refuse("arn", error) from error
    if role.account not in world.accounts.accounts:
        raise each.refuse("arn", f"there is no account {role.account}.")
    world.accounts.add_role(role)
    each.finish()


def _load_key(each: Reader) -> None:
    backend = _backend(each, "region", each.required("account", str), each.required("region", str))
    manager = each.optional("manager", str, MANAGERS[0])
    if manager not in MANAGERS:
        raise each.refuse("manager", f"is none of {', '.join(MANAGERS)}.")
    add_key(backend.account_id, backend.region_name, each.required("id", str), manager=manager)
    each.finish()


def _load_at_place(each: Reader, networks: Networks) -> None:
    backend = _initialized(each, each.required("account", str), each.required("region", str))
    network = networks[backend.account_id, backend.region_name]
    try:
        load_server(backend, each, network)
    except DRSError as error:
        raise ScenarioError(f"{each.place}: {error.message}") from error


def _initialized(each: Reader, account: str, region: str) -> DRSBackend:
    backend = _backend(each, "region", account, region)
    if not backend.initialized:
        raise each.refuse("region", f"account {account} has not initialized {region}.")
    return backend


def _load_extension(each: Reader, networks: Networks) -> None:
    region = each.required("region", str)
    target = _initialized(each, each.required("target", str), region)
    staging = _initialized(each, each.required("stagingAccount", str), region)
    server = find_server(staging, each, "server")
    network = networks[target.account_id, region]
    tier = each.optional("tier", str, "application")
    if tier not in network.subnets:
        raise each.refuse("tier", f"is none of {', '.join(network.subnets)}.")
    tags = each.optional("tags", dict, {})
    each.finish()
    nic = {"DeviceIndex": 0, "SubnetId": network.subnets[tier], "Groups": [network.groups[tier]]}
    try:
        extend(
            target,
            staging.account_id,
            server,
            tags,
            template_data={"NetworkInterfaces": [nic]},
        )
    except DRSError as error:
        raise ScenarioError(f"{each.place}: {error.message}") from error


def _load_fault(each: Reader) -> None:
    try:
        fault = Fault.from_dict(each.rest())
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"{each.place}: {error}") from error
    world.faults.add(fault)
