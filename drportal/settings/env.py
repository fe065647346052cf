"""The environment: the only place that reads it, and every complaint about it at once."""

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_POSTGRES = {"postgres", "postgresql"}
_REDIS = {"redis", "rediss"}
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,40}")


class EnvironmentNotRight(ImproperlyConfigured):
    """The environment holds wrong values. `problems` says which and why, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The environment is not right:\n  " + "\n  ".join(problems))
        self.problems = problems


class Env:
    """Settings ask for values as Django loads; `check` then refuses to go on with a wrong one."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self.problems: list[str] = []

    def again(self) -> "Env":
        """The same environment, before anybody asked it anything."""
        return Env(self._source)

    def text(self, name: str, default: str | None = None) -> str:
        """The value of `name`; without a `default` it must be set."""
        value = self._source.get(name, default)
        if value is None or (value == "" and default is None):
            self.problems.append(f"{name} is not set")
            return ""
        return value

    def secret(self, name: str, default: str | None = None, *, at_least: int = 50) -> str:
        """A secret of `at_least` so many characters. What it is never shows in a complaint."""
        value = self.text(name, default)
        if value and len(value) < at_least:
            self.problems.append(f"{name} has {len(value)} characters, fewer than {at_least}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._source.get(name, str(default)).strip().lower()
        if value not in _TRUE | _FALSE:
            self.problems.append(f"{name} is {value!r}, not a yes or a no")
        return value in _TRUE

    def number(self, name: str, default: float, *, low: float = 0, high: float = 1e9) -> float:
        """A number from `low` to `high`."""
        value = self._source.get(name, str(default))
        try:
            number = float(value)
        except ValueError:
            self.problems.append(f"{name} is {value!r}, not a number")
            return default
        if not low <= number <= high:
            self.problems.append(f"{name} is {value}, not between {low:g} and {high:g}")
        return number

    def whole(self, name: str, default: int, *, low: int = 0, high: int = 1_000_000_000) -> int:
        """A whole number from `low` to `high`."""
        value = self._source.get(name, str(default))
        if not re.fullmatch(r"-?\d+", value):
            self.problems.append(f"{name} is {value!r}, not a whole number")
            return default
        if not low <= int(value) <= high:
            self.problems.append(f"{name} is {value}, not between {low} and {high}")
        return int(value)

    def names(self, name: str, default: str = "") -> list[str]:
        """The words of a comma-separated list."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def one_of(self, name: str, choices: set[str], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            self.problems.append(f"{name} is {value!r}, not one of {', '.join(sorted(choices))}")
        return value

    def table_prefix(self, name: str, default: str) -> str:
        """A prefix that leaves a legal DynamoDB table name."""
        value = self.text(name, default)
        if not _PREFIX.fullmatch(value):
            self.problems.append(
                f"{name} is {value!r}: only letters, digits, dot, hyphen and underscore, at most 40"
            )
        return value

    def url(self, name: str, schemes: set[str], default: str | None = None) -> str:
        """A URL of one of the `schemes`. Its password never shows in a complaint."""
        value = self.text(name, default)
        if not value:
            return value
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            # The error's own words may quote a password that holds an unescaped slash.
            self.problems.append(
                f"{name} is not a URL: its port is no number, or a special character in its "
                "password is not percent-encoded"
            )
            return value
        if parts.scheme not in schemes:
            wanted = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
            begun = f"starts with {parts.scheme!r}, not with" if parts.scheme else "lacks its"
            self.problems.append(f"{name} {begun} {wanted}")
        elif parts.scheme in {"http", "https"} and not parts.hostname:
            self.problems.append(f"{name} names no host")
        return value

    def database(self, name: str, default: str | None = None) -> dict[str, Any]:
        """Django's DATABASES entry for a PostgreSQL URL; `?host=` may name a socket directory."""
        value = self.url(name, _POSTGRES, default)
        entry: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql"}
        if not value or self._complained(name):
            return entry
        parts = urlsplit(value)
        options = dict(parse_qsl(parts.query))
        database = unquote(parts.path.lstrip("/"))
        if not database:
            self.problems.append(f"{name} names no database: it ends in /NAME")
        entry |= {
            "NAME": database,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": options.pop("host", "") or parts.hostname or "",
            "PORT": str(parts.port or ""),
            "OPTIONS": options,
        }
        return entry

    def redis(self, name: str, default: str | None = None) -> str:
        """A Redis URL, redis:// or rediss://, as both Celery and the cache take it."""
        value = self.url(name, _REDIS, default)
        if not value or self._complained(name):
            return value
        parts = urlsplit(value)
        if not parts.hostname:
            self.problems.append(f"{name} names no host")
        if not re.fullmatch(r"/?\d*", parts.path):
            self.problems.append(f"{name} ends in {parts.path!r}, not in /NUMBER of a database")
        return value

    def check(self) -> None:
        """Refuse to start with a wrong environment, naming each setting that is wrong and why."""
        if self.problems:
            raise EnvironmentNotRight(self.problems)

    def _complained(self, name: str) -> bool:
        return any(problem.startswith(f"{name} ") for problem in self.problems)


env = Env(os.environ)
