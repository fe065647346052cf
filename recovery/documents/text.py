"""Documents as text: JSON or YAML, read without surprises and written always alike."""

import json
import math
import re
from enum import StrEnum
from typing import Any, NoReturn

import yaml

from drportal.errors import DomainError, Kind

_PLAIN_WORD = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_ ./-]*[A-Za-z0-9_])?")
LARGEST = 20 * 1024 * 1024  # bytes of a document


class Format(StrEnum):
    """How a document is written."""

    JSON = "json"
    YAML = "yaml"


class UnreadableDocument(DomainError):
    """The text is neither JSON nor YAML that can be taken without loss."""

    code = "recovery.document_unreadable"
    kind = Kind.INVALID
    known_as = "INVALID_FORMAT"


def written(document: dict[str, Any], form: Format) -> str:
    """The text of a document. Equal documents are equal to the byte."""
    if form is Format.JSON:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    made: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000
    )
    return made


def read(text: str | bytes) -> Any:
    """What a text says, JSON or YAML: which of the two, it tells by itself.

    Raises UnreadableDocument. Refused are names that an object holds twice, numbers that are none,
    anchors and tags in YAML, several documents in one text, and what PostgreSQL cannot hold.
    """
    found = _decoded(text)
    try:
        document = _json(found) if found.lstrip()[:1] in ("{", "[") else _yaml(found)
        _must_be_storable(document)
    except RecursionError as error:
        raise UnreadableDocument("The document is nested too deeply.") from error
    return document


def _decoded(text: str | bytes) -> str:
    size = len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    if size > LARGEST:
        raise UnreadableDocument(f"The document is larger than {LARGEST // 1024**2} MiB.")
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableDocument("The document is not UTF-8.") from error


def _json(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_doubles,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except ValueError as error:
        raise UnreadableDocument(f"This is not JSON: {error}.") from error


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # a subclass of the safe loader
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())[:400]
        raise UnreadableDocument(f"This is not YAML: {told}.") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableDocument(f"The document names {name[:100]!r} twice in one object.")
        found[name] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise UnreadableDocument(f"{word} is not a number in JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise UnreadableDocument("The document holds a number that is too large.")
    return number


def _must_be_storable(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise UnreadableDocument("The document holds a NUL character.")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UnreadableDocument("The document holds half a character.") from error
    elif isinstance(value, dict):
        for name, held in value.items():
            _must_be_storable(name)
            _must_be_storable(held)
    elif isinstance(value, list):
        for held in value:
            _must_be_storable(held)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types only: `yes` and `2026-11-25` are text, and nothing is an alias."""

    yaml_implicit_resolvers = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise UnreadableDocument("Aliases are not taken: write out what they stand for.")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002  # theirs
        pairs = [
            (self.construct_object(key, deep=True), self.construct_object(value, deep=deep))
            for key, value in node.value
        ]
        for name, _ in pairs:
            if not isinstance(name, str):
                raise UnreadableDocument(f"{str(name)[:100]} names a member, so it must be text.")
        return _without_doubles(pairs)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever is not a plain word, so that no reader takes text for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # theirs
        return True


def _represented(dumper: _Dumper, text: str) -> yaml.Node:
    style = None if _PLAIN_WORD.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represented)
for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )
