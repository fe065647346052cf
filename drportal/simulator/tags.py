# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from typing import Any

from drportal.simulator.exceptions import (
    AccessDeniedException,
    ResourceNotFoundException,
    ValidationException,
)
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend

LIMIT = 50
_PARTS = 6  # arn:partition:drs:region:account:kind/id


def _tags(backend: DRSBackend, arn: str) -> dict[str, str]:
    parts = arn.split(":", _PARTS - 1)
    if len(parts) != _PARTS or parts[2] != "drs":
        raise ValidationException(
            f"{arn} is not the ARN of a DRS resource.",
            reason="fieldValidationFailed",
            fields=[("resourceArn", "is not the ARN of a DRS resource")],
        )
    if parts[4] != backend.account_id:
        raise AccessDeniedException(f"The resource {arn} belongs to another account.")
    if arn not in backend.tags:
        kind, _, identifier = parts[5].partition("/")
        raise ResourceNotFoundException(
            f"The resource {arn} does not exist.", resource_id=identifier, resource_type=kind
        )
    return backend.tags[arn]


def list_tags_for_resource(backend: DRSBackend, *, resourceArn: str) -> dict[str, Any]:
    """All tags of a resource of this account and Region."""
    return {"tags": dict(_tags(backend, resourceArn))}


def tag_resource(backend: DRSBackend, *, resourceArn: str, tags: dict[str, str]) -> dict[str, Any]:
    """At most 50 tags on a resource."""
    current = _tags(backend, resourceArn)
    if len(current.keys() | tags.keys()) > LIMIT:
        raise ValidationException(
            f"A resource has at most {LIMIT} tags.",
            reason="fieldValidationFailed",
            fields=[("tags", f"would exceed {LIMIT} tags")],
        )
    current.update(tags)
    return {}


def untag_resource(backend: DRSBackend, *, resourceArn: str, tagKeys: list[str]) -> dict[str, Any]:
    """Keys that the resource does not have are no error."""
    current = _tags(backend, resourceArn)
    for key in tagKeys:
        current.pop(key, None)
    return {}


HANDLERS: dict[str, Handler] = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
