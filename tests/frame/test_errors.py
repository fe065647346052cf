"""Every anticipated failure has a code of its own and survives the way to another process."""

import importlib
import inspect
import pickle
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import audit
import drportal
import protection
import queries
import recovery
from drportal.aws.errors import AwsError, Call, Failure
from drportal.errors import DomainError, InvalidInput, Kind

APPS = (audit, drportal, protection, queries, recovery)
# Modules that act when they are imported: programs, settings of other environments.
PROGRAMS = re.compile(
    r"__main__|\.migrations\b|drportal\.(settings|wsgi|asgi|embedded|simulator)\b"
)


def _import_all() -> None:
    for app in APPS:
        for found in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
            if not PROGRAMS.search(found.name):
                importlib.import_module(found.name)


def _below(sort: type[DomainError]) -> Iterator[type[DomainError]]:
    for each in sort.__subclasses__():
        yield each
        yield from _below(each)


_import_all()
SORTS = sorted(
    {
        each
        for each in _below(DomainError)
        # What begins with an underscore is a base of others, and is never raised.
        if each.__module__.split(".")[0] != "tests" and not each.__name__.startswith("_")
    },
    key=lambda sort: f"{sort.__module__}.{sort.__qualname__}",
)


class _Anything(SimpleNamespace):
    """Stands for whatever object an error phrases its sentence about."""

    pk = id = 7
    name = "payments"
    members: dict[str, Any] = {"name": "payments"}

    def __str__(self) -> str:
        return "the thing"

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getitem__(self, _: object) -> "_Anything":
        return self


def _made(sort: type[DomainError]) -> DomainError:
    """An error of this sort, made as its own constructor wants it."""
    if sort is AwsError:
        return AwsError(
            Failure.THROTTLED,
            "Rate exceeded",
            call=Call("DescribeJobs", "210000000001", "us-east-1"),
            aws_code="ThrottlingException",
            retry_after=2.5,
            resource_id="s-1",
        )
    taken = inspect.signature(sort).parameters.values()
    plain: dict[str, Any] = {"str": "words", "int": 3, "datetime": "a time", "Kind": Kind.INVALID}
    plain |= {"Mapping": {"version": 1}, "list": ["one"]}
    values: dict[str, Any] = {
        each.name: plain.get(getattr(each.annotation, "__name__", ""), _Anything())
        for each in taken
        if each.default is each.empty
        and each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
    }
    return sort(**values)


def test_the_errors_of_all_apps_are_found() -> None:
    assert {sort.__module__.split(".")[0] for sort in SORTS} >= {
        "drportal",
        "protection",
        "recovery",
    }


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.__qualname__)
def test_an_error_survives_pickling(sort: type[DomainError]) -> None:
    error = _made(sort)
    assert error.detail
    assert str(error) == error.detail
    error.context = {"plan": 7, "retry_after": 2.5, **_portable(error.context)}
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes, of a moment ago
    assert type(again) is sort
    assert (again.detail, again.context, again.args) == (error.detail, error.context, error.args)
    assert (again.code, again.kind) == (sort.code, sort.kind)


def _portable(context: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in context.items() if not isinstance(value, _Anything)}


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.__qualname__)
def test_an_error_has_a_well_formed_code_and_a_kind(sort: type[DomainError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)?", sort.code)
    assert isinstance(sort.kind, Kind)
    assert sort.__doc__


def test_no_two_errors_share_a_code() -> None:
    # One that says no code of its own is a sort of its base, for which the reference has a name.
    own = [sort.code for sort in SORTS if "code" in vars(sort)]
    shared = {code: n for code, n in Counter(own).items() if n > 1}
    assert not shared


def test_a_rebuilt_aws_error_still_tells_what_to_do() -> None:
    again = pickle.loads(pickle.dumps(_made(AwsError)))  # noqa: S301  # as above
    assert again.failure is Failure.THROTTLED
    assert (again.passing, again.ambiguous) == (True, False)
    assert (again.retry_after, again.resource_id) == (2.5, "s-1")
    assert again.message == "Rate exceeded"
    assert again.detail == "DescribeJobs in 210000000001/us-east-1: Rate exceeded"


def test_invalid_input_names_each_field() -> None:
    assert InvalidInput("It breaks a rule.").errors == []
    complaint = InvalidInput.field("name", "too_long", "The name is too long.")
    assert complaint.detail == "The name is too long."
    assert complaint.errors == [
        {"field": "name", "code": "too_long", "message": "The name is too long."}
    ]
