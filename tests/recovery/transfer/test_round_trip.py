"""Export, import into an empty portal, export: the same bytes, for any configuration."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from drportal.actor import PORTAL
from recovery import configuration
from recovery.documents.text import Format, read, written
from recovery.services.transfer import Mode, import_document
from tests.recovery.transfer.configurations import configurations
from tests.recovery.transfer.emptying import empty_the_portal, undone

pytestmark = pytest.mark.django_db


def imported(document, **how):
    run = import_document(document, **{"mode": Mode.ADD_ONLY, "actor": PORTAL, **how})
    assert run.succeeded, run.outcome["failed"]
    return run


def exported(form: Format = Format.JSON) -> str:
    return written(configuration.document(), form)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=configurations())
def test_export_import_export_gives_the_same_bytes(document):
    with undone():
        imported(document, mode=Mode.UPDATE)
        first = {form: exported(form) for form in Format}
        for text in first.values():
            empty_the_portal()
            imported(read(text), mode=Mode.UPDATE)
            assert {form: exported(form) for form in Format} == first


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=configurations())
def test_what_was_configured_is_all_in_the_export(document):
    """An export that left something out would also come back to the same bytes."""
    with undone():
        imported(document, mode=Mode.UPDATE)
        told = configuration.document()
        for section in ("accounts", "staging_accounts", "groups", "plans"):
            assert by_name(told[section]) == by_name(document[section])
        for section in ("launch_settings", "tag_sync"):
            assert told[section] == sorted_inside(document[section])


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=configurations())
def test_importing_again_changes_nothing(document):
    with undone():
        imported(document, mode=Mode.UPDATE)
        before = exported()
        run = imported(read(before), mode=Mode.UPDATE)
        assert run.outcome["created"] == run.outcome["updated"] == []
        assert exported() == before


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=configurations(), document=configurations())
def test_a_dry_run_tells_what_the_import_does_and_does_nothing(before, document):
    with undone():
        import_document(before, mode=Mode.UPDATE, keep_going=True, actor=PORTAL)
        stood = exported()
        how: dict[str, Any] = {"mode": Mode.UPDATE, "keep_going": True, "actor": PORTAL}
        tried = import_document(document, dry_run=True, **how)
        assert exported() == stood
        assert import_document(document, **how).outcome == tried.outcome


def by_name(entries):
    key = "account_id" if (entries and "targets" in entries[0]) or not entries else "name"
    key = key if all(key in entry for entry in entries) else "account_id"
    return sorted((sorted_inside(entry) for entry in entries), key=lambda entry: entry[key])


def sorted_inside(value):
    """Lists whose order says nothing, in one order; waves keep theirs."""
    if isinstance(value, dict):
        made = {name: sorted_inside(held) for name, held in value.items()}
        waves = copy.copy(value.get("waves"))
        return made | ({"waves": [sorted_inside(wave) for wave in waves]} if waves else {})
    if isinstance(value, list):
        return sorted((sorted_inside(held) for held in value), key=repr)
    return value
