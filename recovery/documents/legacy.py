"""Documents of the reference system, schema 1.0, 1.1 and without a version, as ours.

Its exports name groups and plans only (reference-data-plane, section 19): the accounts are read
out of what the groups and plans say. What cannot be carried over is told, never dropped silently.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from recovery.documents.schema import VERSION

VERSIONS = ("1.0", "1.1")
_DEFAULT_LIMIT = 3600  # seconds; the reference system has no time limit of a wave


@dataclass(frozen=True, slots=True)
class Known:
    """What the portal knows and a document of the reference system leaves out.

    `server_of` gives the DRS server id of an EC2 instance in (account, Region), or "".
    """

    server_of: Callable[[str, str, str], str] = lambda _account, _region, _instance: ""
    partition: str = "aws"


@dataclass(slots=True)
class Reading:
    """A document as ours, with what was wrong with it and what was left behind."""

    document: dict[str, Any]
    errors: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def wrong(self, place: str, code: str, message: str) -> None:
        """Note why the document cannot be taken."""
        self.errors.append({"field": place, "code": code, "message": message})

    def warn(self, place: str, code: str, message: str) -> None:
        """Note what is not carried over, or is understood otherwise than it may have been meant."""
        self.warnings.append({"field": place, "code": code, "message": message})


def is_legacy(document: Any) -> bool:
    """Whether this is a document of the reference system."""
    return isinstance(document, dict) and "schema_version" not in document and _looks_so(document)


def _looks_so(document: dict[str, Any]) -> bool:
    return bool({"protectionGroups", "recoveryPlans", "metadata"} & document.keys())


def translated(document: dict[str, Any], known: Known) -> Reading:
    """Our document for one of the reference system, complete, with errors and warnings."""
    made = Reading({})
    _check_version(document, made)
    groups = _objects(document, "protectionGroups", made)
    plans = _objects(document, "recoveryPlans", made)
    accounts: dict[str, dict[str, Any]] = {}
    for place, entry in [*groups, *plans]:
        _account(place, entry, accounts, made, known)
    ours = [_group(place, entry, made, known) for place, entry in groups]
    held = {
        _text(entry.get("groupName")).strip().lower(): _texts(entry.get("sourceServerIds"))
        for _, entry in groups
    }
    made.document = {
        "schema_version": VERSION,
        "accounts": [accounts[key] for key in sorted(accounts)],
        "groups": ours,
        "plans": [_plan(place, entry, held, made) for place, entry in plans],
    }
    return made


def _check_version(document: dict[str, Any], made: Reading) -> None:
    metadata = document.get("metadata")
    said = metadata.get("schemaVersion") if isinstance(metadata, dict) else None
    said = said if said is not None else document.get("schemaVersion")
    if said is None:
        told = "The document names no schema version; it is read as one of the reference system."
        made.warn("metadata.schemaVersion", "MISSING_SCHEMA_VERSION", told)
    elif str(said) not in VERSIONS:
        told = f"Schema version {str(said)[:50]!r} is not known: {', '.join(VERSIONS)} are."
        made.wrong("metadata.schemaVersion", "UNSUPPORTED_SCHEMA_VERSION", told)


def _objects(
    holder: dict[str, Any], name: str, made: Reading, *, below: str = ""
) -> list[tuple[str, dict[str, Any]]]:
    place = f"{below}.{name}" if below else name
    found = holder.get(name) or []
    if not isinstance(found, list):
        made.wrong(place, "WRONG_TYPE", "This must be a list.")
        return []
    taken = []
    for index, entry in enumerate(found):
        if isinstance(entry, dict):
            taken.append((f"{place}[{index}]", entry))
        else:
            made.wrong(f"{place}[{index}]", "WRONG_TYPE", "This must be an object.")
    return taken


def _account(
    place: str,
    entry: dict[str, Any],
    accounts: dict[str, dict[str, Any]],
    made: Reading,
    known: Known,
) -> None:
    account_id = _text(entry.get("accountId"))
    if not account_id:
        if place.startswith("protectionGroups"):
            told = "A group names its account, with 12 digits."
            made.wrong(f"{place}.accountId", "MISSING_ACCOUNT_ID", told)
        return
    role = _text(entry.get("assumeRoleName")).rpartition("/")[2]
    arn = f"arn:{known.partition}:iam::{account_id}:role/{role}" if role else ""
    there = accounts.setdefault(
        account_id, {"account_id": account_id, "name": f"Account {account_id}", "role_arn": arn}
    )
    if arn and not there["role_arn"]:
        there["role_arn"] = arn
    elif arn and there["role_arn"] != arn:
        told = f"Account {account_id} is named with two roles; {there['role_arn']} is taken."
        made.warn(f"{place}.assumeRoleName", "ROLE_CONFLICT", told)


def _group(place: str, entry: dict[str, Any], made: Reading, known: Known) -> dict[str, Any]:
    where = (_text(entry.get("accountId")), _text(entry.get("region")))
    tags = entry.get("serverSelectionTags") or {}
    named = _server_ids(f"{place}.sourceServerIds", entry.get("sourceServerIds"), made, tags=tags)
    if not tags and not named:
        told = "The group chooses no servers, neither by tags nor one by one."
        made.wrong(place, "NO_SELECTION_METHOD", told)
    return {
        "name": _text(entry.get("groupName")).strip(),
        "description": _text(entry.get("description")),
        "owner": _text(entry.get("owner")),
        "account_id": where[0],
        "region": where[1],
        # A tag group exports the servers that it once had beside its tags: it stays a tag group.
        **({"tags": tags} if tags else {"server_ids": named}),
        "launch_settings": _settings(entry.get("launchConfig"), f"{place}.launchConfig", made),
        "servers": _servers(place, entry, where, made, known),
    }


def _servers(
    place: str, entry: dict[str, Any], where: tuple[str, str], made: Reading, known: Known
) -> list[dict[str, Any]]:
    taken: dict[str, dict[str, Any]] = {}
    addresses: set[tuple[str, str]] = set()
    for spot, server in _objects(entry, "servers", made, below=place):
        server_id = _server_id(spot, server, where, made, known)
        settings = _settings(server.get("launchTemplate"), f"{spot}.launchTemplate", made)
        if not server_id or not settings:
            continue
        _check_address(f"{spot}.launchTemplate", settings, addresses, made)
        replaces = server.get("useGroupDefaults") is False
        taken[server_id] = {
            "server_id": server_id,
            "combination": "REPLACE" if replaces else "ADD",
            "launch_settings": settings,
        }
    return [taken[key] for key in sorted(taken)]


def _check_address(
    spot: str, settings: dict[str, Any], given: set[tuple[str, str]], made: Reading
) -> None:
    address, subnet = _text(settings.get("staticPrivateIp")), _text(settings.get("subnetId"))
    if not address:
        return
    if (subnet, address) in given:
        told = f"{address} is given to two servers."
        made.wrong(spot, "DUPLICATE_IP_IN_MANIFEST", told)
    if not subnet:
        made.warn(spot, "MISSING_SUBNET", "A private address needs the subnet that it is in.")
    given.add((subnet, address))


def _server_id(
    spot: str, entry: dict[str, Any], where: tuple[str, str], made: Reading, known: Known
) -> str:
    server_id = _text(entry.get("sourceServerId") or entry.get("sourceServerID"))
    instance = _text(entry.get("instanceId"))
    if server_id:
        return server_id
    if not instance:
        told = "A server is named by its sourceServerId or its instanceId."
        made.wrong(spot, "MISSING_SERVER_IDENTIFICATION", told)
        return ""
    found = known.server_of(*where, instance)
    if not found:
        told = f"No source server is known that comes from instance {instance[:40]}."
        made.warn(spot, "INSTANCE_NOT_IN_DRS", told)
    return found


# What the reference system stored and never applied; neither DRS nor a launch template holds it.
_NEVER_APPLIED = ("bootMode", "ebsOptimized")


def _settings(found: Any, place: str, made: Reading) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    settings = {name: value for name, value in found.items() if value not in (None, "", [], {})}
    for name in _NEVER_APPLIED:
        if settings.pop(name, None) is not None:
            told = f"{name} was never applied there and cannot be held by DRS; it is left out."
            made.warn(f"{place}.{name}", "FIELD_NOT_HELD", told)
    return settings


def _server_ids(place: str, found: Any, made: Reading, *, tags: Any) -> list[str]:
    if tags or found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        made.wrong(place, "WRONG_TYPE", "This must be a list of server ids.")
        return []
    return sorted(set(found))


def _plan(
    place: str, entry: dict[str, Any], held: dict[str, list[str]], made: Reading
) -> dict[str, Any]:
    waves = _objects(entry, "waves", made, below=place)
    if not waves:
        made.warn(f"{place}.waves", "EMPTY_WAVES", "The plan has no waves.")
    positions = {_number(wave, index): index + 1 for index, (_, wave) in enumerate(waves)}
    email = _text(entry.get("notificationEmail")).strip()
    return {
        "name": _text(entry.get("planName") or entry.get("name")).strip(),
        "description": _text(entry.get("description")),
        "notification_addresses": [email] if email else [],
        "waves": [
            _wave(spot, wave, position, _needs(spot, wave, positions, made), held, made)
            for position, (spot, wave) in enumerate(waves, start=1)
        ],
    }


def _number(wave: dict[str, Any], index: int) -> int:
    number = wave.get("waveNumber")
    return number if isinstance(number, int) and not isinstance(number, bool) else index


def _needs(spot: str, wave: dict[str, Any], positions: dict[int, int], made: Reading) -> list[int]:
    """The positions, from 1, of the waves that a wave waits for; there they are numbers from 0."""
    found = wave.get("dependsOnWaves") or []
    needs = found if isinstance(found, list) else [found]
    known = [need for need in needs if isinstance(need, int) and need in positions]
    if len(known) != len(needs):
        told = "It waits for a wave that is not there."
        made.wrong(f"{spot}.dependsOnWaves", "INVALID_WAVE_DATA", told)
    return sorted({positions[need] for need in known})


def _wave(
    spot: str,
    wave: dict[str, Any],
    position: int,
    needs: list[int],
    held: dict[str, list[str]],
    made: Reading,
) -> dict[str, Any]:
    gate = bool(wave.get("pauseBeforeWave"))
    named = [_text(name).strip() for name in _group_names(wave)]
    if not named:
        told = "The wave names no protection group."
        made.wrong(spot, "MISSING_PROTECTION_GROUP", told)
    chosen = set(_texts(wave.get("serverIds")))
    told = _text(wave.get("waveDescription"))
    return {
        "name": _text(wave.get("waveName")).strip() or f"Wave {position}",
        "groups": [
            {"group": name, "server_ids": _subset(held.get(name.lower(), []), chosen)}
            for name in named
        ],
        "depends_on": needs,
        "gate": gate,
        "gate_instructions": told if gate else "",
        "time_limit_seconds": _DEFAULT_LIMIT,
    }


def _group_names(wave: dict[str, Any]) -> Iterable[Any]:
    several = wave.get("protectionGroupNames")
    if isinstance(several, list) and several:
        return several
    one = wave.get("protectionGroupName")
    return [one] if one else []


def _subset(held: list[str], chosen: set[str]) -> list[str]:
    """The servers that a wave launches of a group that held `held`; none stands for all of them.

    The reference system copies a group's servers into each wave that chooses none, and never
    refreshes them. So only a list that leaves some of them out is a choice.
    """
    picked = sorted(chosen.intersection(held))
    return picked if picked and len(picked) < len(set(held)) else []


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
