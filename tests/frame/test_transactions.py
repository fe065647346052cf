"""AWS is asked outside transactions only; records and marks are made inside them only."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

import drportal.aws
import drportal.mirror.services
import protection.services
import recovery.services
from drportal.aws.drs import Drs
from drportal.aws.ec2 import Ec2
from drportal.transactions import in_transaction, must_be_in_transaction, reaches_outside

PACKAGES = (drportal.aws, drportal.mirror.services, protection.services, recovery.services)


@pytest.mark.django_db
def test_the_atomic_block_of_a_test_case_does_not_count() -> None:
    assert not in_transaction()
    with transaction.atomic():
        assert in_transaction()
        with transaction.atomic():
            assert in_transaction()
        assert in_transaction()
    assert not in_transaction()


@pytest.mark.django_db(transaction=True)
def test_a_real_transaction_counts_from_its_begin_to_its_end() -> None:
    assert not in_transaction()
    with transaction.atomic():
        assert in_transaction()
    assert not in_transaction()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_was_rolled_back_is_over() -> None:
    with pytest.raises(KeyError), transaction.atomic():
        raise KeyError
    assert not in_transaction()


@pytest.mark.django_db
def test_a_transaction_that_is_due_to_roll_back_still_counts() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        assert in_transaction()


@pytest.mark.django_db(transaction=True)
def test_what_must_commit_together_is_refused_outside_and_let_pass_inside() -> None:
    with pytest.raises(RuntimeError, match="a mark must commit together with the change"):
        must_be_in_transaction("a mark")
    with transaction.atomic():
        must_be_in_transaction("a mark")


@pytest.mark.django_db
@pytest.mark.parametrize("real", [False, True])
def test_a_marked_function_runs_outside_only(request, real: bool) -> None:
    if real:
        request.getfixturevalue("transactional_db")
    asked = []

    @reaches_outside
    def ask(what: str, *, how: str) -> str:
        """Asks."""
        asked.append((what, how))
        return "answer"

    assert ask("jobs", how="now") == "answer"
    with transaction.atomic(), pytest.raises(RuntimeError, match="ask reaches AWS inside"):
        ask("jobs", how="now")
    assert asked == [("jobs", "now")]
    assert (ask.__name__, ask.__doc__) == ("ask", "Asks.")


@pytest.mark.django_db
def test_a_marked_listing_refuses_when_it_is_iterated_inside() -> None:
    asked = []

    @reaches_outside
    def listing() -> Iterator[int]:
        for page in range(3):
            asked.append(page)
            yield page

    assert list(listing()) == [0, 1, 2]
    asked.clear()
    found = listing()
    assert next(found) == 0
    with transaction.atomic(), pytest.raises(RuntimeError, match="listing reaches AWS inside"):
        next(found)
    assert asked == [0]


def _modules() -> Iterator[Any]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def _marked() -> dict[str, Callable[..., Any]]:
    found = {}
    for module in _modules():
        owners = [value for value in vars(module).values() if inspect.isclass(value)]
        for owner in (module, *owners):
            for value in vars(owner).values():
                code = getattr(value, "__code__", None)
                if code and code.co_qualname == f"{reaches_outside.__name__}.<locals>.guarded":
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


MARKED = _marked()


def test_what_reaches_aws_is_marked() -> None:
    assert MARKED.keys() >= {
        "drportal.aws.sts.caller_account",
        "drportal.mirror.services.sending.drain",
        "drportal.mirror.services.verification.verify",
        "protection.services.inventory.sync",
        "recovery.services.advance.advance",
        "recovery.services.launches.send",
        "recovery.services.launches.settle",
        "recovery.services.watch.poll",
    }


@pytest.mark.parametrize("service", [Drs, Ec2])
def test_every_question_to_a_service_is_marked(service: type) -> None:
    public = {
        f"{service.__module__}.{value.__qualname__}"
        for name, value in vars(service).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert public
    assert public <= MARKED.keys()


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(MARKED))
def test_every_marked_function_refuses_inside_a_transaction(
    name: str, django_assert_num_queries
) -> None:
    function = MARKED[name]
    wanted = inspect.signature(function).parameters.values()
    positional = [None for each in wanted if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = {each.name: None for each in wanted if each.kind is each.KEYWORD_ONLY}
    with (
        transaction.atomic(),
        django_assert_num_queries(0),
        pytest.raises(RuntimeError, match="reaches AWS inside a transaction"),
    ):
        function(*positional, **named)
