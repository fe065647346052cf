"""Generated configurations: documents that a portal could have exported."""

from typing import Any

from hypothesis import strategies as st

from recovery.documents.schema import VERSION

REGIONS = ("us-east-1", "us-west-2")
TARGETS = ("210000000001", "210000000002", "210000000003")
STAGING = ("310000000001", "310000000002")
HUB = "123456789012"

_WORDS = st.text("abcxyzÄé 0-_.:#'\"", min_size=1, max_size=12).map(str.strip).filter(bool)
_SENTENCES = st.text("abc xyz:\n#-é", max_size=30)
_TAGS = st.dictionaries(_WORDS, st.text("ab =:", max_size=5), max_size=2)
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "instanceType": st.sampled_from(["m7i-flex.large", "u-6tb1.metal", "c5.xlarge"]),
        "copyTags": st.booleans(),
        "launchDisposition": st.sampled_from(["STARTED", "STOPPED"]),
        "tags": st.dictionaries(_WORDS, st.text("ab", max_size=4), min_size=1, max_size=2),
    },
)


def _unique(draw: Any, number: int) -> str:
    return f"{draw(_WORDS)[:40]} {number}"


@st.composite
def configurations(draw: Any) -> dict[str, Any]:
    """A whole document: everything that it names is in it."""
    accounts = [_account(draw, account_id) for account_id in TARGETS[: draw(st.integers(1, 3))]]
    if draw(st.booleans()):
        hub = {"account_id": HUB, "name": draw(_WORDS), "hub": True, "role_arn": ""}
        accounts.insert(0, {**hub, "active": draw(st.booleans())})
    ids = [account["account_id"] for account in accounts]
    groups = [_group(draw, number, ids) for number in range(draw(st.integers(0, 4)))]
    return {
        "schema_version": VERSION,
        "accounts": accounts,
        "staging_accounts": [
            _staging(draw, account_id, ids) for account_id in STAGING[: draw(st.integers(0, 2))]
        ],
        "launch_settings": draw(_SETTINGS),
        "groups": groups,
        "plans": [_plan(draw, number, groups) for number in range(draw(st.integers(0, 3)))]
        if groups
        else [],
        "tag_sync": {
            "include_accounts": draw(st.lists(st.sampled_from(TARGETS), unique=True)),
            "exclude_accounts": [],
            "include_keys": draw(st.lists(st.sampled_from(["App*", "Tier"]), unique=True)),
            "exclude_keys": draw(st.lists(st.sampled_from(["x-*"]), unique=True)),
            "key_mapping": draw(st.sampled_from([{}, {"App": "Application"}])),
            "dry_run": draw(st.booleans()),
        },
        "schedules": [
            {
                "name": "Source-server inventory",
                "enabled": draw(st.booleans()),
                "every_seconds": draw(st.integers(60, 3600)),
            }
        ],
    }


def _role(account_id: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:role/{name}"


def _account(draw: Any, account_id: str) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "name": draw(_WORDS),
        "hub": False,
        "role_arn": _role(account_id, draw(st.sampled_from(["DRSOrchestrationRole", "Other"]))),
        "active": draw(st.booleans()),
    }


def _staging(draw: Any, account_id: str, targets: list[str]) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "name": draw(_WORDS),
        "role_arn": _role(account_id, "DRSOrchestrationRole"),
        "targets": draw(st.lists(st.sampled_from(targets), min_size=1, unique=True)),
    }


def server_id(group: int, number: int) -> str:
    return f"s-{group:08x}{number:09x}"


def _group(draw: Any, number: int, accounts: list[str]) -> dict[str, Any]:
    by_tags = draw(st.booleans())
    servers = [server_id(number, each) for each in range(draw(st.integers(1, 3)))]
    entries = draw(st.lists(st.sampled_from(servers), unique=True))
    return {
        "name": _unique(draw, number),
        "description": draw(_SENTENCES),
        "owner": draw(_SENTENCES),
        "account_id": draw(st.sampled_from(accounts)),
        "region": draw(st.sampled_from(REGIONS)),
        # No two groups of one place may have the same tags.
        "tags": {"Group": str(number), **draw(_TAGS)} if by_tags else {},
        "server_ids": [] if by_tags else servers,
        "allows_overlap": draw(st.booleans()),
        "launch_settings": draw(_SETTINGS),
        "servers": [
            {
                "server_id": each,
                "combination": draw(st.sampled_from(["ADD", "REPLACE"])),
                "launch_settings": draw(_SETTINGS.filter(bool)),
            }
            for each in entries
        ],
    }


def _plan(draw: Any, number: int, groups: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = draw(st.permutations(groups))[: draw(st.integers(1, len(groups)))]
    cut = draw(st.integers(1, len(chosen)))
    parts = [part for part in (chosen[:cut], chosen[cut:]) if part]
    span = st.none() | st.integers(1, 1440).map(lambda minutes: 60 * minutes)
    return {
        "name": _unique(draw, number),
        "description": draw(_SENTENCES),
        "owner": draw(_SENTENCES),
        "rto_seconds": draw(span),
        "rpo_seconds": draw(span),
        "drill_every_days": draw(st.none() | st.integers(1, 3660)),
        "preflight_before_waves": draw(st.booleans()),
        "launch_settings_policy": draw(st.sampled_from(["BLOCK", "APPLY", "LAUNCH_ANYWAY"])),
        "notification_addresses": draw(
            st.lists(st.sampled_from(["a@example.com", "b@example.org"]), unique=True)
        ),
        "tags": draw(_TAGS),
        "approval_needed": draw(st.booleans()),
        "waves": [_wave(draw, position, part) for position, part in enumerate(parts, start=1)],
    }


def _wave(draw: Any, position: int, groups: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": draw(_WORDS),
        "groups": [_launched(draw, group) for group in groups],
        "depends_on": draw(st.lists(st.integers(1, position - 1), unique=True))
        if position > 1
        else [],
        "gate": draw(st.booleans()),
        "gate_instructions": draw(_SENTENCES),
        "gate_rule": None,  # it names people, who are no part of a configuration
        "checks": [],
        "wait_seconds": draw(st.sampled_from([0, 60, 3600])),
        "time_limit_seconds": 60 * draw(st.integers(1, 120)),
        "success_threshold": draw(st.integers(1, 100)),
    }


def _launched(draw: Any, group: dict[str, Any]) -> dict[str, Any]:
    held = group["server_ids"] or [entry["server_id"] for entry in group["servers"]]
    subset = draw(st.lists(st.sampled_from(held), unique=True)) if held else []
    optional = draw(st.lists(st.sampled_from(subset or held), unique=True)) if held else []
    return {"group": group["name"], "server_ids": subset, "optional_server_ids": optional}
