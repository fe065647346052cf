from hypothesis import given
from hypothesis import strategies as st

from drportal.aws.dynamodb import as_stored, stored_size
from drportal.mirror.packing import ROOM, digest, packed, unpacked

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.text(min_size=1, max_size=9).filter(lambda name: not name.endswith("Gzip"))
ITEMS = st.dictionaries(NAMES, VALUES, max_size=5)


def large(count):
    return {"id": "x", "servers": [{"name": f"server-{n}", "n": n} for n in range(count)]}


@given(item=ITEMS)
def test_a_small_item_stays_as_it_is(item):
    assert packed(item) == item


@given(item=ITEMS)
def test_what_is_stored_reads_back_alike(item):
    once = as_stored(item)
    assert as_stored(once) == once
    assert digest(once) == digest(item)


@given(item=ITEMS)
def test_packing_loses_nothing(item):
    whole = item | large(50)
    stored = as_stored(packed(whole, room=1000))
    assert "serversGzip" in stored
    assert unpacked(stored) == as_stored(whole)
    assert digest(stored) == digest(whole)


def test_a_large_item_fits():
    whole = large(20_000)
    assert stored_size(whole) > ROOM
    assert stored_size(packed(whole)) <= ROOM


def test_only_as_much_is_packed_as_must_be():
    stored = packed(large(50) | {"tags": {"a": "b"}}, room=1000)
    assert set(stored) == {"id", "tags", "serversGzip"}


def test_a_digest_tells_items_apart():
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest({"a": 1, "mirrorVersion": 3}) == digest({"a": 1, "mirrorVersion": 4})
