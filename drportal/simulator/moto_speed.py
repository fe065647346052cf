"""Look-ups of moto's EC2 that go through everything in a Region for one thing.

A launch of a hundred servers would take seconds. The answers are the same.
"""

from __future__ import annotations

import os

from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix


def apply() -> None:
    """Replace the look-ups in this process, and start EC2 without its 1,300 images."""
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    # mypy takes a function that is assigned to a class for a method with one parameter too many.
    TaggedEC2Resource.get_tags = _own_tags  # type: ignore[assignment,method-assign]
    InstanceBackend.get_instance = _instance  # type: ignore[assignment,method-assign]


def _own_tags(resource: TaggedEC2Resource) -> list[dict[str, str]]:
    identifier: str = resource.id  # type: ignore[attr-defined]  # each kind of resource sets it
    tags = resource.ec2_backend.tags.get(identifier, {})  # type: ignore[attr-defined]  # likewise
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(identifier), "")
    return [
        {"resource_id": identifier, "key": key, "value": value, "resource_type": kind}
        for key, value in tags.items()
    ]


def _instance(backend: InstanceBackend, instance_id: str) -> Instance:
    # The newest first: an instance is asked for most while it is being launched.
    for reservation in reversed(backend.reservations.copy().values()):
        for instance in reservation.instances:
            if instance.id == instance_id:
                return instance
    raise InvalidInstanceIdError(instance_id)
