"""Keeping secrets out of whatever is written down: facts of the audit record, and log lines.

A secret shows itself by the name of its key or by the shape of its value. Either masks the whole
value: the first letters of a password are part of the password. What cannot be looked at is
masked as well.
"""

import dataclasses
import logging
import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any
from uuid import UUID

MASK = "[masked]"
DEEPEST = 20

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")
_SECRET_WORDS = frozenset(
    {
        *("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets"),
        *("token", "tokens", "jwt", "bearer", "authorization", "authentication", "credential"),
        *("credentials", "cookie", "cookies", "otp", "sessionid", "externalid", "clientsecret"),
        *("apikey", "apikeys", "privatekey", "accesskey", "secretkey", "signingkey", "sessionkey"),
        *("encryptionkey", "authtoken", "accesstoken", "refreshtoken", "idtoken", "sessiontoken"),
        *("securitytoken", "csrftoken"),
    }
)
_SECRET_PAIRS = frozenset(
    {
        ("api", "key"),
        ("api", "keys"),
        ("external", "id"),
        ("external", "ids"),
        ("private", "key"),
        ("private", "keys"),
        ("access", "key"),
        ("access", "keys"),
        ("signing", "key"),
        ("session", "key"),
        ("session", "id"),
        ("encryption", "key"),
        ("pass", "word"),
        ("pass", "phrase"),
        ("set", "cookie"),
    }
)
# Every repetition is bounded or anchored: text from outside must not make the search slow.
_SECRET_SHAPES = re.compile(
    r"""
      -----BEGIN\ [A-Z\ ]{0,40}PRIVATE\ KEY-----.*?(?:-----END\ [A-Z\ ]{0,40}KEY-----|\Z)
    | (?<![\w-])eyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)*                       # a JWT
    | (?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}              # an AWS access key id
    | (?<![A-Za-z0-9/+=])                                               # an AWS secret key
      (?=[A-Za-z0-9/+]{0,39}[A-Z])(?=[A-Za-z0-9/+]{0,39}[a-z])(?=[A-Za-z0-9/+]{0,39}[0-9])
      [A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])
    | (?i:\b(?:bearer|aws4-hmac-sha256)\s+[\w.~+/=:-]{8,}.*)            # a header's credentials
    | \b[Bb](?:asic|ASIC)\s+(?=[A-Za-z0-9+/]{0,99}(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9+/]{8,}={0,2}
    | (?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@]*:[^\s/]*@   # a password in a URL
    | (?i:\b[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key|external[_-]?id
        |x-amz-signature|x-amz-credential)["']?\s*[=:]\s*(?:"[^"]*"|'[^']*'|[^\s,;&]+))
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = (bool, int, type(None), datetime, date, time, timedelta, UUID, Decimal)
# What a mapping, sequence or dataclass of somebody else's may raise while it is walked.
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def names_secret(key: str) -> bool:
    """Whether the words of `key` name a secret: `apiKey` and `API_KEY` do, `keyName` does not."""
    words = [word.lower() for word in _WORD.findall(key)]
    return bool(_SECRET_WORDS.intersection(words) or _SECRET_PAIRS.intersection(pairwise(words)))


def holds_secret(text: str) -> bool:
    """Whether something in `text` has the shape of a secret."""
    return _SECRET_SHAPES.search(text) is not None


def masked_text(text: str) -> str:
    """`text` with each thing that has the shape of a secret masked whole. For log lines."""
    return _SECRET_SHAPES.sub(MASK, text)


def masked(value: Any) -> Any:
    """`value` fit to be stored as JSON in PostgreSQL, with every secret in it masked whole.

    Mappings, lists, tuples, sets and dataclasses are walked, to a depth of `DEEPEST`. An object of
    any other sort is masked, and so is one that fails while it is looked at. Never raises.
    """
    try:
        return _masked(value, depth=0)
    except _UNREADABLE:
        return MASK


def _masked(value: Any, *, depth: int) -> Any:
    if depth > DEEPEST:
        return MASK
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return MASK if holds_secret(value) else storable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, _PLAIN):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return _walked(value, depth=depth + 1)


def _walked(value: Any, *, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {
            storable(str(key)): MASK if names_secret(str(key)) else _masked(held, depth=depth)
            for key, held in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(held, depth=depth) for held in value]
    if isinstance(value, AbstractSet):
        return sorted((_masked(held, depth=depth) for held in value), key=str)
    return MASK


def storable(text: str) -> str:
    """`text` without what PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class MaskingFilter(logging.Filter):
    """Masks secrets in log records, so that whatever handler writes them has none to write.

    The message is masked with its arguments in it, extras like facts of the audit record, and a
    traceback as text.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except _UNREADABLE:
            message = MASK
        record.msg, record.args = masked_text(message), ()
        for name, value in list(record.__dict__.items()):
            if name not in _OWN_ATTRIBUTES:
                record.__dict__[name] = MASK if names_secret(name) else masked(value)
        if record.exc_info:
            # Formatters take this text instead of formatting the exception themselves.
            record.exc_text = masked_text(logging.Formatter().formatException(record.exc_info))
        return True


_OWN_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
