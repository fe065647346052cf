"""Documents as they come in: ours as they are, the reference system's as ours."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from drportal.errors import InvalidInput
from protection.models import SourceServer
from recovery.documents import legacy, schema

_NAMED = {"accounts": "account_id", "staging_accounts": "account_id"}
_SECTIONS = ("accounts", "staging_accounts", "groups", "plans", "schedules")


class DocumentInvalid(InvalidInput):
    """The document breaks its schema, or names something twice."""

    code = "recovery.document_invalid"
    known_as = "VALIDATION_FAILED"


@dataclass(frozen=True, slots=True)
class Taken:
    """A document that keeps to our schema, complete; `legacy` tells that it was another's."""

    document: dict[str, Any]
    warnings: list[dict[str, str]]
    legacy: bool
    schema_version: str

    @property
    def digest(self) -> str:
        """A digest of what the document says."""
        text = json.dumps(self.document, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def taken(document: Any) -> Taken:
    """The document as ours. Raises DocumentInvalid, with everything that is wrong with it."""
    found, errors, warnings = document, [], []
    of_the_reference = legacy.is_legacy(document)
    if of_the_reference:
        reading = legacy.translated(document, legacy.Known(server_of=_server_of))
        found, errors, warnings = reading.document, reading.errors, reading.warnings
    errors = errors or schema.complaints(found) or list(_doubles(found))
    if errors:
        raise DocumentInvalid("The document cannot be imported.", errors=errors)
    complete = schema.completed(found)
    version = _version(document) if of_the_reference else schema.VERSION
    return Taken(complete, warnings, of_the_reference, version)


def _version(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    said = metadata.get("schemaVersion") if isinstance(metadata, dict) else None
    return str(said or document.get("schemaVersion") or "none")


def _doubles(document: dict[str, Any]) -> list[dict[str, str]]:
    """What the document names twice: names differ by more than case."""
    errors = []
    for section in _SECTIONS:
        key = _NAMED.get(section, "name")
        names = Counter(entry[key].strip().lower() for entry in document.get(section, []))
        for place, entry in enumerate(document.get(section, [])):
            if names[entry[key].strip().lower()] > 1:
                message = f"{entry[key]!r} is named more than once."
                field = f"{section}[{place}].{key}"
                errors.append({"field": field, "code": "DUPLICATE_NAME", "message": message})
    return errors


def _server_of(account_id: str, region: str, instance_id: str) -> str:
    found = SourceServer.objects.filter(
        account__account_id=account_id, region=region, origin_instance_id=instance_id
    )
    ids = list(found.values_list("server_id", flat=True)[:2])
    return ids[0] if len(ids) == 1 else ""
