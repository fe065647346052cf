"""What the value of a launch setting may be. Each check returns it as it is kept."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from protection.rules.addressing import form_problem

FORMAT = "INVALID_LAUNCH_CONFIG_FORMAT"
_SECURITY_GROUP = re.compile(r"sg-[0-9a-f]{8,17}")
_MOST_SECURITY_GROUPS = 16  # the most that EC2 lets a quota for one interface be raised to
_MOST_TAGS = 40  # of EC2's 50; DRS and the portal add theirs
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_RESERVED = ("aws:", "awselasticdisasterrecovery", "drs.amazonaws.com")


class BadValue(ValueError):
    """A value that a setting cannot have."""

    def __init__(self, message: str, code: str = FORMAT) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def flag(value: Any) -> bool:
    """True or false; "yes" and 1 are neither."""
    if not isinstance(value, bool):
        raise BadValue("it is true or false.")
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    """A check for one of a few words, exactly as AWS spells them."""

    def check(value: Any) -> str:
        if value not in choices:
            raise BadValue(f"it is one of {', '.join(choices)}.")
        return str(value)

    return check


def matching(pattern: str, what: str) -> Callable[[Any], str]:
    """A check for text of a form, spaces around it aside."""
    form = re.compile(pattern, re.ASCII)

    def check(value: Any) -> str:
        if not isinstance(value, str) or not form.fullmatch(value.strip()):
            raise BadValue(f"{value!r:.100} is not {what}.")
        return value.strip()

    return check


def text(longest: int) -> Callable[[Any], str]:
    """A check for any text up to a length."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= longest:
            raise BadValue(f"it has 1 to {longest} characters.")
        return value.strip()

    return check


def member(name: str, inner: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """A check for an object with the one member `name`."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or set(value) != {name}:
            raise BadValue(f"it is an object with {name} and nothing else.")
        return {name: inner(value[name])}

    return check


def security_groups(value: Any) -> list[str]:
    """One or more ids, each once, in order: EC2 keeps no order of its own."""
    code = "INVALID_SECURITY_GROUPS"
    if not isinstance(value, list) or not value:
        raise BadValue("it is a list of one or more ids.", code)
    for each in value:
        if not isinstance(each, str) or not _SECURITY_GROUP.fullmatch(each):
            raise BadValue(f"{each!r:.100} is not a security group id.", code)
    if len(set(value)) > _MOST_SECURITY_GROUPS:
        raise BadValue(f"there are at most {_MOST_SECURITY_GROUPS}.", code)
    return sorted(set(value))


def address(value: Any) -> str:
    """A private IPv4 address."""
    if not isinstance(value, str):
        raise BadValue("it is text.", "INVALID_IP_FORMAT")
    problem = form_problem(value.strip())
    if problem is not None:
        raise BadValue(problem[1], problem[0])
    return value.strip()


def tags(value: Any) -> dict[str, str]:
    """Tags that EC2 takes, and that are not AWS's or DRS's own."""
    code = "INVALID_TAGS"
    if not isinstance(value, Mapping) or not value:
        raise BadValue("it is an object of one or more keys and values.", code)
    if len(value) > _MOST_TAGS:
        raise BadValue(f"there are at most {_MOST_TAGS}.", code)
    for key, said in value.items():
        if not isinstance(key, str) or not 1 <= len(key) <= _LONGEST_KEY:
            raise BadValue(f"a key has 1 to {_LONGEST_KEY} characters.", code)
        if not isinstance(said, str) or len(said) > _LONGEST_VALUE:
            raise BadValue(f"the value of {key} is text of at most {_LONGEST_VALUE}.", code)
        if key.lower().startswith(_RESERVED):
            raise BadValue(f"the key {key} is AWS's own.", code)
    return dict(value)
