"""KMS keys, as far as it matters whose they are."""

from dataclasses import dataclass

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, readable, translated
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class Key:
    """A key. One that AWS manages cannot be shared with another account."""

    arn: str
    customer_managed: bool
    enabled: bool


@reaches_outside
def key_of(scope: Scope, key_id: str) -> Key:
    """The key with this id or ARN, as it is seen from `scope`. Raises AwsError."""
    operation = "DescribeKey"
    with translated(operation, scope):
        answer = client("kms", Use.READ, scope).describe_key(KeyId=key_id)
    with readable(operation, scope):
        told = answer["KeyMetadata"]
        return Key(told["Arn"], told["KeyManager"] == "CUSTOMER", told["KeyState"] == "Enabled")
