from __future__ import annotations

import hashlib
import string

from moto.moto_api._internal import mock_random

_ALPHANUMERIC = string.digits + string.ascii_lowercase
_LENGTH = 17


def stable(prefix: str, *parts: str) -> str:
    """The same id for the same parts, at every start: the prefix and 17 hexadecimal digits."""
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return prefix + digest[:_LENGTH]


def fresh(prefix: str) -> str:
    """An id not given before. moto's `/moto-api/seed` fixes the series."""
    return prefix + "".join(mock_random.choice(_ALPHANUMERIC) for _ in range(_LENGTH))


def arn(partition: str, region: str, account: str, kind: str, identifier: str) -> str:
    """`kind` is the resource part of DRS's ARNs, as in `source-server`."""
    return f"arn:{partition}:drs:{region}:{account}:{kind}/{identifier}"
