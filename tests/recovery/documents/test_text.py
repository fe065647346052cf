"""Documents as text: nothing is lost, nothing is taken for something else."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recovery.documents.text import LARGEST, Format, UnreadableDocument, read, written

# What PostgreSQL can hold: no NUL, no half of a surrogate pair.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
TRICKY = st.sampled_from(
    [
        *("012345678901", "1e3", "0x1f", "1_000", "1:20", "2026-11-25"),  # numbers, to some
        *("yes", "no", "on", "~", "null", "true", "=", "<<"),
        *("-", "", " x ", "a: b", "#x", "- x", "x\ty", "'", '"'),
        *("\x85", "\u2028", "\ufeff"),
    ]
)
VALUES = st.recursive(
    TEXTS | TRICKY | st.integers(-(10**12), 10**12) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | TRICKY, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(TEXTS | TRICKY, VALUES, min_size=1, max_size=5)


@pytest.mark.parametrize("form", Format)
@given(document=DOCUMENTS)
def test_what_is_written_is_read_back_as_it_was(form, document):
    assert read(written(document, form)) == document


@given(document=DOCUMENTS)
def test_another_yaml_reader_reads_the_same(document):
    """Our YAML means the same to a reader of YAML 1.1, which takes `yes` and 012 for more."""
    assert yaml.safe_load(written(document, Format.YAML)) == document


@pytest.mark.parametrize("form", Format)
@given(document=DOCUMENTS)
def test_equal_documents_are_equal_to_the_byte(form, document):
    copy = json.loads(json.dumps(document))
    assert written(copy, form) == written(document, form)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ("a: 1\na: 2", "twice"),
        ("a: &x 1\nb: *x", "Aliases"),
        ("a: !!python/object:os.system 1", "not YAML"),
        ("a: !own 1", "not YAML"),
        ("--- 1\n--- 2", "not YAML"),
        ("1: 2", "must be text"),
        ("[1, 2", "not JSON"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1e999}', "too large"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": "\\ud800"}', "half a character"),
        (b"a: \xff", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_could_be_misunderstood_is_refused(text, told):
    with pytest.raises(UnreadableDocument, match=told):
        read(text)


def test_a_document_that_is_too_large_is_refused_unread():
    with pytest.raises(UnreadableDocument, match="larger than 20 MiB"):
        read("x" * (LARGEST + 1))


def test_yaml_takes_plain_words_for_text():
    assert read("a: yes\nb: 2026-11-25\nc: 012\nd: 12\ne: true\nf:\ng: 1.5") == {
        "a": "yes",
        "b": "2026-11-25",
        "c": "012",
        "d": 12,
        "e": True,
        "f": None,
        "g": 1.5,
    }


def test_a_byte_order_mark_is_passed_over():
    assert read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
