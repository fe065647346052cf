import json
import logging
import string
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from hypothesis import given
from hypothesis import strategies as st

from drportal.masking import MASK, MaskingFilter, holds_secret, masked, masked_text, names_secret

SECRET_KEYS = [
    *("password", "Password", "userPassword", "DB_PASSWORD", "passwd", "pass_phrase", "pwd"),
    *("secret", "clientSecret", "AWS_SECRET_ACCESS_KEY", "secretAccessKey", "accessKeyId"),
    *("token", "sessionToken", "X-Amz-Security-Token", "nextToken", "idToken", "csrf_token"),
    *("externalId", "external_id", "ExternalID", "external id", "EXTERNAL-ID", "externalid"),
    *("authorization", "Authorization", "apiKey", "api_key", "API-Key", "apikey", "x-api-key"),
    *("credential", "credentials", "cookie", "Set-Cookie", "cookies", "privateKey", "PRIVATE_KEY"),
]
PLAIN_KEYS = [
    *("keyName", "author", "authors", "key", "keys", "kmsKeyId", "keyPair", "sourceServerId"),
    *("externalReference", "identity", "apiVersion", "accessLevel", "privateIp", "passed"),
    *("tokenizer", "secretary", "cookiecutter", "passport", "authority", "accountId", "id", ""),
]
SECRETS = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXBhcnQ",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAY34FZKBOKMUTVV7A",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "Bearer 0123456789abcdef",
    "basic dXNlcjpwYXNzd29yZA==",
    "postgresql://portal:hunter2@db.example.com/portal",
    "redis://:hunter2@127.0.0.1:6379/0",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "password=hunter2",
    'the "api_key": "hunter2"',
    "ExternalId: hunter2",
]
PLAIN_TEXTS = [
    *(
        "s-1234567890abcdef0",
        "arn:aws:drs:us-east-1:111122223333:source-server/s-1234567890abcdef0",
    ),
    *("https://example.com:8443/a?b=c", "author: Kim", "keyName=main", "2026-01-31T09:00:00Z"),
    *("arn:aws:iam::111122223333:role/DRSOrchestrationRole", "0" * 40, "f" * 64, "a sentence."),
    *("someone@example.com", "basic settings", "the token bucket", "d" * 40, "10.0.0.0/16"),
]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_key_that_names_a_secret_is_known(key):
    assert names_secret(key)


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_a_key_that_only_looks_alike_is_not(key):
    assert not names_secret(key)


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_known_by_its_shape(text):
    assert holds_secret(text)
    assert holds_secret(f"before ({text}) after")
    assert masked({"said": [text]}) == {"said": [MASK]}


@pytest.mark.parametrize("text", PLAIN_TEXTS)
def test_what_has_no_such_shape_is_left(text):
    assert not holds_secret(text)
    assert masked(text) == masked_text(text) == text


SECRET = st.text(string.ascii_letters + string.digits, min_size=12, max_size=30).map("9{}".format)
PLAIN = st.none() | st.booleans() | st.integers() | st.text(string.ascii_lowercase, max_size=8)
DATA = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_lowercase, max_size=5), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


@given(
    secret=SECRET,
    key=st.sampled_from(SECRET_KEYS),
    beside=DATA,
    path=st.lists(st.sampled_from(["list", "dict", "tuple", "secret"]), max_size=8),
)
def test_a_secret_under_its_key_never_shows_however_deep(secret, key, beside, path):
    held: object = {key: secret, "beside": beside}
    for step in path:
        held = {
            "list": [beside, held],
            "dict": {"held": held, "x": beside},
            "tuple": (held,),
            "secret": {key: held},
        }[step]
    assert secret not in json.dumps(masked(held), cls=DjangoJSONEncoder)


@given(
    secret=SECRET,
    around=st.text(string.ascii_letters + " .,", max_size=20),
    shape=st.sampled_from(
        [
            "Bearer {}",
            "postgresql://portal:{}@db/x",
            "password={}",
            "secret: '{}'",
            "-----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----",
            "X-Amz-Signature={}",
        ]
    ),
)
def test_a_secret_in_its_shape_never_shows(secret, around, shape):
    text = f"{around} {shape.format(secret)} {around}"
    assert secret not in masked_text(text)
    assert masked({"text": text}) == {"text": MASK}


@given(data=DATA)
def test_data_without_secrets_comes_through(data):
    def plain(value):
        if isinstance(value, dict):
            return {key: plain(held) for key, held in value.items()}
        return [plain(held) for held in value] if isinstance(value, list | tuple) else value

    if not any(names_secret(word) for word in json.dumps(data).split('"')):
        assert masked(data) == plain(data)


@given(
    data=st.recursive(
        st.none() | st.floats() | st.text() | st.binary() | st.datetimes() | st.uuids(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
def test_masking_never_fails_and_ends_in_json_that_postgresql_holds(data):
    text = json.dumps(masked({"data": data}), cls=DjangoJSONEncoder, allow_nan=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()


class Colour(StrEnum):
    RED = "RED"


@dataclass
class Account:
    name: str
    external_id: str


class Hostile(dict):
    def items(self):
        raise RuntimeError("no")


class HostileText:
    def __str__(self):
        raise ValueError("no")


def test_the_sorts_of_values():
    assert masked(Colour.RED) == "RED"
    assert masked({"b", "a"}) == ["a", "b"]
    assert masked(MappingProxyType({"a": 1})) == {"a": 1}
    assert masked(Account("kim", "hush")) == {"name": "kim", "external_id": MASK}
    assert masked(b"bytes") == masked(object()) == masked(HostileText()) == MASK


def test_masking_that_fails_masks_everything():
    assert masked({"a": 1, "b": Hostile(c=1)}) == MASK
    assert masked({HostileText(): 1}) == MASK


def test_what_holds_itself_is_masked():
    knot: list[object] = []
    knot.append(knot)
    assert MASK in str(masked(knot))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "a-" * 50_000,
        "eyJ" * 40_000,
        "://" * 40_000,
        "a:/" * 40_000,
        "-----BEGIN " * 10_000,
        "password" * 15_000,
        "Ab1/" * 30_000,
        "bearer " * 20_000,
        "x-amz-" * 20_000,
    ],
)
def test_no_text_makes_the_search_slow(text, benchmark_seconds):
    assert benchmark_seconds(lambda: masked_text(text)) < 2


@pytest.fixture
def benchmark_seconds():
    import time

    def measure(work):
        started = time.process_time()
        work()
        return time.process_time() - started

    return measure


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
        self.records = []
        self.addFilter(MaskingFilter())

    def emit(self, record):
        self.records.append(record)
        self.lines.append(self.format(record))


@pytest.fixture
def log():
    logger, handler = logging.getLogger("tests.masking"), Lines()
    logger.addHandler(handler)
    yield logger, handler
    logger.removeHandler(handler)


def test_log_lines_are_masked(log):
    logger, handler = log
    logger.warning("to %s", "redis://:hunter2@host/0", extra={"token": "t", "facts": {"pwd": "x"}})
    assert handler.lines == [f"to {MASK}host/0"]
    record = handler.records[0]
    assert (record.token, record.facts) == (MASK, {"pwd": MASK})
    assert record.levelname == "WARNING"


def test_tracebacks_are_masked(log):
    logger, handler = log
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        logger.exception("failed")
    assert "hunter2" not in handler.lines[0]
    assert "Traceback" in handler.lines[0]


def test_a_line_that_cannot_be_put_together_is_masked(log):
    logger, handler = log
    logger.warning("%d", "no number")
    assert handler.lines == [MASK]
