"""Whether a staging account's server may be extended, and when it is tried again."""

from dataclasses import dataclass
from datetime import timedelta

FIRST_WAIT = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a server is held back: `reason` in a few words for counting, `message` for a person."""

    reason: str
    message: str


def wait_after(attempts: int) -> timedelta:
    """How long to leave a server alone after so many tries in a row: each time twice as long."""
    if attempts < 1:
        raise ValueError("there is nothing to wait for before the first try")
    factor: int = 2 ** min(attempts - 1, 10)  # more would only make a number that is cut anyway
    return min(FIRST_WAIT * factor, LONGEST_WAIT)


def without_own_key(mode: str) -> Refusal | None:
    """What the encryption mode alone says against extending a server; None if nothing.

    DRS cannot share what the account's default EBS key encrypts (DRS user guide). Volumes that
    are not encrypted (NONE) need no key at all.
    """
    if mode in {"CUSTOM", "NONE"}:
        return None
    return Refusal(
        "default EBS key",
        "Its staging volumes are encrypted with the account's default EBS key, which cannot be "
        "shared. Give it a customer-managed key in its replication settings, in the staging "
        "account, and let the target account use that key.",
    )


def not_shareable(key_arn: str, *, customer_managed: bool, enabled: bool) -> Refusal | None:
    """What a key says against extending the servers that it encrypts; None if nothing."""
    if not customer_managed:
        return Refusal(
            "key managed by AWS",
            f"Its staging volumes are encrypted with {key_arn}, a key that AWS manages and that "
            "cannot be shared. Give it a customer-managed key in its replication settings.",
        )
    if not enabled:
        return Refusal(
            "key not enabled",
            f"Its staging volumes are encrypted with {key_arn}, which is not enabled in KMS.",
        )
    return None


def no_room(servers: int, limit: int) -> Refusal | None:
    """What the number of the target's source servers in the Region says against one more."""
    if servers < limit:
        return None
    return Refusal(
        "no room in the target",
        f"The target account has {servers:,} source servers in this Region, and DRS allows "
        f"{limit:,}.",
    )
