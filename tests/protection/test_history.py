"""What differs between two documents, whatever they are documents of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protection.admin.changes import in_words
from protection.rules.history import Difference, differences

SERVER = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"name": "a"}, {"name": "a"}, []),
        ({"name": "a"}, {"name": "b"}, [("name", "a", "b")]),
        ({"tags": {"Tier": "web"}}, {"tags": {"Tier": "db"}}, [("tags.Tier", "web", "db")]),
        ({"tags": {}}, {"tags": {"Tier": "db"}}, [("tags.Tier", None, "db")]),
        ({"tags": {"Tier": "db"}}, {"tags": {}}, [("tags.Tier", "db", None)]),
        ({"on": True}, {"on": 1}, [("on", True, 1)]),
        ({"owner": None}, {}, []),
        ({"depends_on": [1]}, {"depends_on": [1, 2]}, [("depends_on", [1], [1, 2])]),
        (
            {"servers": [{"id": "a", "name": "x"}, {"id": "b", "name": "y"}]},
            {"servers": [{"id": "b", "name": "y"}, {"id": "c", "name": "z"}]},
            [
                ("servers[a]", {"id": "a", "name": "x"}, None),
                ("servers[c]", None, {"id": "c", "name": "z"}),
            ],
        ),
        (
            {"waves": [{"name": "one"}, {"name": "two"}]},
            {"waves": [{"name": "one", "gate": True}]},
            [("waves[0].gate", None, True), ("waves[1]", {"name": "two"}, None)],
        ),
        (
            {"waves": [{"id": "same"}, {"id": "same"}]},
            {"waves": [{"id": "same"}]},
            [("waves[1]", {"id": "same"}, None)],
        ),
    ],
)
def test_what_differs(old, new, expected):
    assert differences(old, new) == [Difference(*row) for row in expected]


_LEAVES = st.sampled_from([None, True, False, 0, 1, "", "a", "b"])
_ENTRIES = st.dictionaries(st.sampled_from("abc"), _LEAVES, max_size=2)
_DOCUMENTS = st.dictionaries(
    st.sampled_from("abcd"),
    _LEAVES | st.dictionaries(st.sampled_from("xyz"), _LEAVES) | st.lists(_ENTRIES, max_size=3),
)


def _without_nothing(document):
    if isinstance(document, dict):
        return {k: _without_nothing(v) for k, v in document.items() if v is not None}
    return document


@given(_DOCUMENTS, _DOCUMENTS)
def test_nothing_differs_only_between_equals_and_backwards_is_the_reverse(old, new):
    assert differences(old, old) == []
    found = differences(old, new)
    back = differences(new, old)
    assert {(f.field, repr(f.old), repr(f.new)) for f in found} == {
        (f.field, repr(f.new), repr(f.old)) for f in back
    }


@given(
    st.dictionaries(st.sampled_from("abcd"), _LEAVES),
    st.dictionaries(st.sampled_from("abcd"), _LEAVES),
)
def test_the_differences_of_flat_documents_lead_from_one_to_the_other(old, new):
    told = dict(old)
    for change in differences(old, new):
        assert told.get(change.field) == change.old
        told[change.field] = change.new
    assert _without_nothing(told) == _without_nothing(new)


def test_differences_are_told_in_words():
    told = in_words(
        differences(
            {
                "servers": [{"id": SERVER, "server_id": "s-1", "name": "web"}],
                "owner": "",
                "on": True,
            },
            {"servers": [], "owner": "ops", "on": False, "tags": {"a": "b"}},
        )
    )
    assert [(change.field, change.old, change.new) for change in told] == [
        ("servers", "web (s-1)", "not there"),
        ("owner", "empty", "ops"),
        ("on", "yes", "no"),
        ("tags", "not there", "a=b"),
    ]
