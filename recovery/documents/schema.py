"""The schema of the configuration document, and complaints about a document that breaks it.

`docs/reference/configuration.schema.json` is this schema, for other programs.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

VERSION = "2.0"

_ACCOUNT_ID = {"type": "string", "pattern": "^[0-9]{12}$"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 64}
_DESCRIPTION = {"type": "string", "maxLength": 1000}
_OWNER = {"type": "string", "maxLength": 255}
_SERVER_ID = {"type": "string", "pattern": "^s-[0-9a-zA-Z]{17}$"}
_SERVER_IDS = {"type": "array", "items": _SERVER_ID, "uniqueItems": True, "maxItems": 5000}
_TAGS = {
    "type": "object",
    "maxProperties": 50,
    "propertyNames": {"minLength": 1, "maxLength": 256},
    "additionalProperties": {"type": "string", "maxLength": 256},
}
# What launch settings may hold is a rule of its own; here they are only an object.
_SETTINGS = {"type": "object"}
# Whole minutes: people set them in minutes, so that nothing else could be shown or edited.
_SECONDS = {"type": "integer", "minimum": 0, "maximum": 10**9, "multipleOf": 60}
_OBJECTIVE = {"type": ["integer", "null"], "minimum": 60, "multipleOf": 60, "default": None}
_TEXTS = {"type": "array", "items": {"type": "string", "maxLength": 256}, "maxItems": 1000}


def _object(required: Iterable[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": sorted(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(of: dict[str, Any], most: int = 10_000) -> dict[str, Any]:
    return {"type": "array", "items": of, "maxItems": most}


_ACCOUNT = _object(
    ("account_id", "name"),
    account_id=_ACCOUNT_ID,
    name=_NAME,
    hub={"type": "boolean", "default": False},
    role_arn={"type": "string", "maxLength": 600, "default": ""},
    active={"type": "boolean", "default": True},
)
_STAGING = _object(
    ("account_id", "name", "targets"),
    account_id=_ACCOUNT_ID,
    name=_NAME,
    role_arn={"type": "string", "maxLength": 600, "default": ""},
    targets={"type": "array", "items": _ACCOUNT_ID, "uniqueItems": True, "minItems": 1},
)
_GROUP_SERVER = _object(
    ("server_id", "launch_settings"),
    server_id=_SERVER_ID,
    combination={"enum": ["ADD", "REPLACE"], "default": "ADD"},
    launch_settings=_SETTINGS,
)
_GROUP = _object(
    ("name", "account_id", "region"),
    name=_NAME,
    description={**_DESCRIPTION, "default": ""},
    owner={**_OWNER, "default": ""},
    account_id=_ACCOUNT_ID,
    region={"type": "string", "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$"},
    tags={**_TAGS, "default": {}},
    server_ids={**_SERVER_IDS, "default": []},
    allows_overlap={"type": "boolean", "default": False},
    launch_settings={**_SETTINGS, "default": {}},
    servers={**_list(_GROUP_SERVER), "default": []},
)
_WAVE_GROUP = _object(
    ("group",),
    group=_NAME,
    server_ids={**_SERVER_IDS, "default": []},
    optional_server_ids={**_SERVER_IDS, "default": []},
)
_MINUTES = {"type": "integer", "minimum": 0, "maximum": 43_200, "default": 0}
_NAMES = {**_TEXTS, "maxItems": 50, "default": []}
_GATE_RULE = {
    **_object(
        ("needed",),
        needed={"type": "integer", "minimum": 1, "maximum": 20},
        people=_NAMES,
        roles=_NAMES,
        expires_minutes=_MINUTES,
        on_expiry={"enum": ["WAIT", "BLOCK", "CANCEL"], "default": "WAIT"},
        remind_minutes=_MINUTES,
        escalate_minutes=_MINUTES,
        escalate_to=_NAMES,
    ),
    "type": ["object", "null"],
    "default": None,
}
_WAVE = _object(
    ("name", "groups"),
    name=_NAME,
    groups=_list(_WAVE_GROUP, most=500),
    depends_on={
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 1000},
        "uniqueItems": True,
        "default": [],
    },
    gate={"type": "boolean", "default": False},
    gate_instructions={**_DESCRIPTION, "default": ""},
    gate_rule=_GATE_RULE,
    wait_seconds={**_SECONDS, "default": 0},
    time_limit_seconds={**_SECONDS, "default": 3600},
    success_threshold={"type": "integer", "minimum": 1, "maximum": 100, "default": 100},
    # What a check may hold is a rule of its own; here it is only an object.
    checks={**_list({"type": "object"}, most=10), "default": []},
)
_PLAN = _object(
    ("name", "waves"),
    name=_NAME,
    description={**_DESCRIPTION, "default": ""},
    owner={**_OWNER, "default": ""},
    rto_seconds=_OBJECTIVE,
    rpo_seconds=_OBJECTIVE,
    preflight_before_waves={"type": "boolean", "default": True},
    launch_settings_policy={
        "type": "string",
        "enum": ["BLOCK", "APPLY", "LAUNCH_ANYWAY"],
        "default": "BLOCK",
    },
    drill_every_days={"type": ["integer", "null"], "minimum": 1, "maximum": 3660, "default": None},
    notification_addresses={**_TEXTS, "default": []},
    tags={**_TAGS, "default": {}},
    approval_needed={"type": "boolean", "default": True},
    waves=_list(_WAVE, most=1000),
)
_TAG_SYNC = _object(
    (),
    include_accounts={"type": "array", "items": _ACCOUNT_ID, "default": []},
    exclude_accounts={"type": "array", "items": _ACCOUNT_ID, "default": []},
    include_keys={**_TEXTS, "default": []},
    exclude_keys={**_TEXTS, "default": []},
    key_mapping={**_TAGS, "maxProperties": 1000, "default": {}},
    dry_run={"type": "boolean", "default": False},
)
_SCHEDULE = _object(
    ("name", "enabled", "every_seconds"),
    name={"type": "string", "minLength": 1, "maxLength": 200},
    enabled={"type": "boolean"},
    every_seconds={"type": "integer", "minimum": 1, "maximum": 7 * 24 * 3600},
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The configuration of a DR portal",
    **_object(
        ("schema_version",),
        schema_version={"const": VERSION},
        accounts={**_list(_ACCOUNT), "default": []},
        staging_accounts={**_list(_STAGING), "default": []},
        launch_settings={**_SETTINGS, "default": {}},
        groups={**_list(_GROUP), "default": []},
        plans={**_list(_PLAN), "default": []},
        tag_sync={**_TAG_SYNC, "default": {}},
        schedules={**_list(_SCHEDULE, most=1000), "default": []},
    ),
}

_MOST_COMPLAINTS = 100
_LONGEST = 400
_CODES = {
    "required": "MISSING_REQUIRED_FIELD",
    "additionalProperties": "UNKNOWN_FIELD",
    "type": "WRONG_TYPE",
    "const": "UNSUPPORTED_SCHEMA_VERSION",
}


def complaints(document: Any) -> list[dict[str, str]]:
    """What in `document` breaks the schema, by place: at most the first hundred."""
    found = sorted(_validator().iter_errors(document), key=_place_of)
    return [
        {"field": _place_of(error), "code": _code_of(error), "message": _message_of(error)}
        for error in found[:_MOST_COMPLAINTS]
    ]


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """A document that keeps to the schema, with every member that its objects leave out at its
    default. A section that the document leaves out stays out: nothing is said of it.
    """
    sections = SCHEMA["properties"]
    return {
        name: _completed(document[name], part)
        for name, part in sections.items()
        if name in document
    }


def _completed(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [_completed(held, schema["items"]) for held in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not properties:
        return value
    return {
        name: _completed(value.get(name, part.get("default")), part)
        for name, part in properties.items()
    }


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(SCHEMA)


def _place_of(error: ValidationError) -> str:
    place = ""
    for step in error.absolute_path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    return place


def _code_of(error: ValidationError) -> str:
    if error.validator == "required" and "schema_version" in str(error.message):
        return "MISSING_SCHEMA_VERSION"
    return _CODES.get(str(error.validator), "INVALID")


def _message_of(error: ValidationError) -> str:
    said = str(error.message)
    if error.validator == "type" and isinstance(error.instance, int | float):
        said += " (in YAML, a number that is meant as text needs quotes)"
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."
