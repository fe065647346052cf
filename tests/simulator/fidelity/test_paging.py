"""The pager alone: pages by key stay right while the list changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drportal.simulator.exceptions import ValidationException
from drportal.simulator.paging import page

KEYS = st.sets(st.integers(0, 40), max_size=30)


def walk(items, size, *, reverse=False):
    pages, token = [], None
    while True:
        shown, token = page(
            items, key=lambda item: item, next_token=token, max_results=size, reverse=reverse
        )
        pages.append(shown)
        if token is None:
            return pages


@given(KEYS, st.integers(1, 31), st.booleans())
def test_pages_together_are_the_sorted_list(items, size, reverse):
    pages = walk(items, size, reverse=reverse)

    assert [item for shown in pages for item in shown] == sorted(items, reverse=reverse)
    assert all(len(shown) == size for shown in pages[:-1])
    assert len(pages) == max(1, -(-len(items) // size))


@given(KEYS.filter(lambda items: len(items) > 3), KEYS, st.booleans())
def test_items_that_come_and_go_repeat_nothing_and_lose_nothing_that_stayed(before, after, reverse):
    first, token = page(before, key=lambda item: item, max_results=3, reverse=reverse)
    rest, end = page(after, key=lambda item: item, next_token=token, reverse=reverse)

    assert end is None
    assert not set(first) & set(rest)
    assert (before & after) - set(first) <= set(rest)


def test_the_default_size_applies_when_none_is_asked():
    shown, token = page(range(5), key=lambda item: item, default=2)

    assert shown == [0, 1]
    assert token


def test_keys_may_be_tuples():
    items = [("a", 2), ("a", 1), ("b", 1)]
    _, token = page(items, key=lambda item: item, max_results=2)

    assert page(items, key=lambda item: item, next_token=token) == ([("b", 1)], None)


def test_an_empty_token_is_the_start():
    assert page([2, 1], key=lambda item: item, next_token="") == ([1, 2], None)


def tokens():
    good: Any
    _, good = page(["a", "b"], key=lambda item: item, max_results=1)
    _, number = page([1, 2], key=lambda item: item, max_results=1)
    _, scoped = page(["a", "b"], key=lambda item: item, max_results=1, scope="jobs")
    return {
        "nonsense": "nonsense",
        "not ascii": "¡no!",
        "cut": good[:-4],
        "changed": good[:-4] + "AAA=",
        "another list": scoped,
        "another kind of key": number,
    }


@pytest.mark.parametrize("kind", tokens())
def test_a_bad_token_is_refused(kind):
    with pytest.raises(ValidationException) as caught:
        page(["a", "b"], key=lambda item: item, next_token=tokens()[kind])

    assert vars(caught.value)["fieldList"] == [
        {"name": "nextToken", "message": "is not a token of this list"}
    ]
