"""The keys of KMS that a world has: moto's, under ids that the world chooses."""

from __future__ import annotations

from moto.kms.models import kms_backends

MANAGERS = ("CUSTOMER", "AWS")


def add_key(account: str, region: str, key_id: str, *, manager: str = "CUSTOMER") -> str:
    """Add a key and return its ARN."""
    backend = kms_backends[account][region]
    key = backend.create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", key_id, None)
    del backend.keys[key.id]
    key.arn = key.arn.replace(key.id, key_id)
    key.id, key.key_manager = key_id, manager
    backend.keys[key_id] = key
    return str(key.arn)


def managed_by_aws(arn: str) -> bool:
    """Whether a key is AWS's own. One that the world was told nothing about is not."""
    _, _, _, region, account, resource = arn.split(":", 5)
    key = kms_backends[account][region].keys.get(resource.partition("/")[2])
    return key is not None and key.key_manager == "AWS"
