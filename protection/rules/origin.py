"""Where a source server comes from, and what EC2 tells of the instance there."""

import re
from dataclasses import dataclass
from typing import Any

from drportal.aws.ec2 import Instance

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """An EC2 instance that a source server runs on."""

    account_id: str
    region: str
    instance_id: str

    @property
    def place(self) -> tuple[str, str]:
        """(account id, Region)."""
        return self.account_id, self.region


def origin_of(account_id: str, region: str, instance_id: str) -> Origin | None:
    """The origin that DRS tells of, or None if it does not tell all of it."""
    if not account_id or not instance_id or not _REGION.fullmatch(region):
        return None
    return Origin(account_id, region, instance_id)


def instance_facts(instance: Instance | None) -> dict[str, Any]:
    """The columns of `SourceServer` for one instance; without one, those of nothing told."""
    return {
        "origin_instance_type": instance.instance_type if instance else "",
        "origin_vpc_id": instance.vpc_id if instance else "",
        "origin_subnet_id": instance.subnet_id if instance else "",
        "origin_private_ip": instance.private_ip if instance else "",
        "origin_security_group_ids": list(instance.security_group_ids) if instance else [],
        "origin_instance_profile": instance.instance_profile if instance else "",
        "origin_tags": instance.tags if instance else None,
    }
