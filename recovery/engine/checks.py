"""Checks after launch: what a plan may say of them, and what an attempt's finding leads to. Pure.

A check is a dictionary, as plans, versions, snapshots and the mirror keep it: what all kinds say,
and what its own kind says, each at its default where it was left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from recovery.choices import ServerCheckKind
from recovery.states import ServerCheckState

Check = dict[str, Any]

MOST_CHECKS: Final = 10  # of a wave
LONGEST_NAME: Final = 64
LONGEST_TEXT: Final = 1000
_PATH = re.compile(r"/[\x21-\x7e]*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DOCUMENT = re.compile(r"[a-zA-Z0-9_.:/-]{3,200}")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a check: its default, and between what a number may be."""

    default: Any
    least: int = 0
    most: int = 0

    def complaint(self, value: Any) -> str:
        """What is wrong with the sort of a value, or an empty text."""
        if isinstance(self.default, bool):
            return "" if isinstance(value, bool) else "This is true or false."
        if isinstance(self.default, int):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if whole and self.least <= value <= self.most:
                return ""
            return f"This is a whole number from {self.least} to {self.most}."
        if isinstance(self.default, str):
            return "" if isinstance(value, str) else "This is a text."
        return "" if isinstance(value, Mapping) else "This is an object."


COMMON: Final[Mapping[str, Field]] = {
    "name": Field(""),
    "kind": Field(""),
    "required": Field(default=True),
    "critical_only": Field(default=False),
    "time_limit_seconds": Field(600, 10, 86_400),
    "attempts": Field(60, 1, 1000),
    "interval_seconds": Field(10, 2, 3600),
}
OWN: Final[Mapping[str, Mapping[str, Field]]] = {
    ServerCheckKind.EC2_STATUS: {},
    ServerCheckKind.TCP: {"port": Field(22, 1, 65_535)},
    ServerCheckKind.HTTP: {
        "port": Field(80, 1, 65_535),
        "scheme": Field("http"),
        "path": Field("/"),
        "status_from": Field(200, 100, 599),
        "status_to": Field(299, 100, 599),
        "contains": Field(""),
        "host_name": Field(""),
        "verify_tls": Field(default=True),
    },
    ServerCheckKind.SSM: {
        "document": Field("AWS-RunShellScript"),
        "parameters": Field({}),
        "repeatable": Field(default=False),
    },
}


def completed(said: Mapping[str, Any]) -> Check:
    """A check with every member that it leaves out at its default, in one order."""
    members = {**COMMON, **OWN.get(str(said.get("kind", "")), {})}
    known = {name: said.get(name, field.default) for name, field in members.items()}
    return known | {name: value for name, value in said.items() if name not in known}


def complaints(checks: Sequence[Mapping[str, Any]], *, limit: timedelta) -> Iterator[Check]:
    """What is wrong with the checks of a wave with that time limit: each with the place of the
    check, a member, a code and a sentence.
    """
    if len(checks) > MOST_CHECKS:
        yield _complaint(0, "", "too_many", f"A wave has at most {MOST_CHECKS} checks.")
        return
    seen: set[str] = set()
    for place, said in enumerate(checks):
        check = completed(said)
        found = list(_of_one(check, limit))
        yield from (_complaint(place, *each) for each in found)
        name = str(check["name"]).strip().lower()
        if name and name in seen:
            yield _complaint(place, "name", "check_twice", "Another check has this name.")
        seen.add(name)


def applies(check: Mapping[str, Any], *, critical: bool) -> bool:
    """Whether a server is checked by it."""
    return critical or not check["critical_only"]


def _complaint(place: int, member: str, code: str, message: str) -> Check:
    return {"place": place, "member": member, "code": code, "message": message}


def _of_one(check: Check, limit: timedelta) -> Iterator[tuple[str, str, str]]:
    if check["kind"] not in OWN:
        yield "kind", "unknown_kind", f"A check is one of {', '.join(OWN)}."
        return
    members = {**COMMON, **OWN[check["kind"]]}
    for name, value in check.items():
        if name not in members:
            yield name, "unknown_field", f"A check of this kind has no {name}."
        elif wrong := members[name].complaint(value):
            yield name, "invalid", wrong
            return
    if not 1 <= len(check["name"].strip()) <= LONGEST_NAME:
        yield "name", "invalid", f"A name has 1 to {LONGEST_NAME} characters."
    if timedelta(seconds=check["time_limit_seconds"]) > limit:
        told = "Its time limit is longer than that of its wave, which would end first."
        yield "time_limit_seconds", "longer_than_wave", told
    yield from _OWN_RULES.get(check["kind"], _nothing)(check)


def _nothing(_: Check) -> Iterator[tuple[str, str, str]]:
    yield from ()


def _http(check: Check) -> Iterator[tuple[str, str, str]]:
    if check["scheme"] not in {"http", "https"}:
        yield "scheme", "invalid", "The scheme is http or https."
    if not _PATH.fullmatch(check["path"]) or len(check["path"]) > LONGEST_TEXT:
        yield "path", "invalid", "A path begins with / and has no spaces; the host is the server's."
    if check["status_to"] < check["status_from"]:
        yield "status_to", "invalid", "The last status is not before the first."
    if len(check["contains"]) > LONGEST_TEXT:
        yield "contains", "too_long", f"At most {LONGEST_TEXT} characters."
    name = check["host_name"]
    if name and (not _HOST.fullmatch(name) or len(name) > 253):  # noqa: PLR2004  # DNS
        yield "host_name", "invalid", "This is no host name; it is sent, and never connected to."


def _ssm(check: Check) -> Iterator[tuple[str, str, str]]:
    if not _DOCUMENT.fullmatch(check["document"]):
        yield "document", "invalid", "This is no name of a Systems Manager document."
    total = 0
    for name, values in check["parameters"].items():
        if not isinstance(name, str) or not _PARAMETER.fullmatch(name):
            yield "parameters", "invalid", f"This is no name of a parameter: {str(name)[:100]}"
        elif not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            yield "parameters", "invalid", f"{name} is a list of texts."
        else:
            total += sum(map(len, values))
    if total > 10_000:  # noqa: PLR2004  # a script that is longer belongs into a document
        yield "parameters", "too_long", "Parameters have 10000 characters at most."


_OWN_RULES: Final = {ServerCheckKind.HTTP: _http, ServerCheckKind.SSM: _ssm}


class Found(StrEnum):
    """What one look found. NOT_YET is no attempt: it is too early, or AWS did not answer.
    UNREACHABLE is one of which nobody can tell whether the server or the way to it is at fault.
    LOST ends a check: asking again could do harm.
    """

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNREACHABLE = "UNREACHABLE"
    NOT_YET = "NOT_YET"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a server found, in a sentence too. `soon`: look again in that time, though
    the check says another.
    """

    found: Found
    message: str
    soon: timedelta | None = None

    @property
    def attempt(self) -> bool:
        """Whether it uses up one of the check's attempts."""
        return self.found in {Found.FAILED, Found.UNREACHABLE}


_ENDS: Final = {
    Found.PASSED: ServerCheckState.PASSED,
    Found.FAILED: ServerCheckState.FAILED,
    Found.UNREACHABLE: ServerCheckState.UNKNOWN,
    Found.NOT_YET: ServerCheckState.UNKNOWN,
    Found.LOST: ServerCheckState.UNKNOWN,
}


def verdict(
    finding: Finding, *, attempts: int, allowed: int, deadline: datetime, now: datetime
) -> ServerCheckState:
    """How a check stands after `finding`, the last of so many attempts: WAITING while it may be
    tried again, and otherwise as the last look found it. What was never seen to fail is UNKNOWN.
    """
    last = attempts >= allowed or now >= deadline
    if finding.found in {Found.PASSED, Found.LOST} or last:
        return _ENDS[finding.found]
    return ServerCheckState.WAITING


def of_server(checks: Sequence[tuple[str, bool]]) -> ServerCheckState:
    """What the checks of a server amount to, each with whether it is required: WAITING while any
    has not ended; a required one that failed counts for more than one that is unknown.
    """
    if any(state == ServerCheckState.WAITING for state, _ in checks):
        return ServerCheckState.WAITING
    needed = {state for state, required in checks if required}
    for state in (ServerCheckState.FAILED, ServerCheckState.UNKNOWN):
        if state in needed:
            return state
    return ServerCheckState.PASSED
