"""Exporting and importing in the admin."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from audit.models import AuditRecord
from protection.models import ProtectionGroup
from recovery import configuration
from recovery.documents.text import Format, written
from recovery.models import ImportRun
from recovery.permissions import ConfigurationPermission
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.users import grant

pytestmark = pytest.mark.django_db

DOCUMENT = {
    "schema_version": "2.0",
    "accounts": [{"account_id": "210000000001", "name": "North"}],
    "groups": [
        {
            "name": "Web",
            "account_id": "210000000001",
            "region": "us-east-1",
            "tags": {"Tier": "web"},
        }
    ],
}


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_importrun_{name}", args=ids)


def filled(**more):
    return {"text": json.dumps(DOCUMENT), "mode": "ADD_ONLY", **more}


@pytest.mark.parametrize("form", Format)
def test_the_export_is_a_file_of_the_whole_configuration(root, form):
    ProtectionGroupFactory.create()
    answer = root.get(link("export", form))
    assert answer.content.decode() == written(configuration.document(), form)
    assert answer.headers["Content-Disposition"].endswith(f'configuration.{form}"')
    assert "no-store" in answer.headers["Cache-Control"]
    assert AuditRecord.objects.get().facts["page"] == "recovery_importrun_export"


def test_a_dry_run_shows_what_would_be_made_and_makes_nothing(root):
    page = root.post(link("add"), filled(_again="dry-run")).content.decode()
    assert "Dry run: nothing was changed" in page
    assert "Web" in page
    assert not ProtectionGroup.objects.exists()
    assert ImportRun.objects.get().dry_run


def test_the_import_makes_it_and_tells(root):
    answer = root.post(link("add"), filled(_save=""), follow=True)
    page = answer.content.decode()
    assert "What became of it" in page
    assert ProtectionGroup.objects.get().name == "Web"
    assert not ImportRun.objects.get().dry_run


def test_a_chosen_file_stays_in_the_form_as_text(root):
    file = SimpleUploadedFile("document.json", json.dumps(DOCUMENT).encode())
    page = root.post(link("add"), {"file": file, "mode": "ADD_ONLY", "_again": "dry-run"})
    assert "210000000001" in page.context["form"]["text"].value()


def test_what_is_wrong_with_a_document_is_listed_with_its_place(root):
    text = json.dumps(DOCUMENT | {"groups": [{"name": "x"}]})
    for press in ("_again", "_save"):
        page = root.post(link("add"), {"text": text, "mode": "ADD_ONLY", press: "dry-run"})
        said = page.content.decode()
        assert "groups[0]" in said
        assert text.replace('"', "&quot;") in said
    assert not ImportRun.objects.exists()


def test_text_that_is_no_document_is_refused_in_words(root):
    page = root.post(link("add"), filled(text="{", _save="")).content.decode()
    assert "This is not JSON" in page


def test_an_empty_form_is_refused(root):
    page = root.post(link("add"), filled(text="  ", _save="")).content.decode()
    assert "Choose a document" in page


def test_what_was_refused_is_red_and_says_that_nothing_was_kept(root):
    text = json.dumps(DOCUMENT | {"accounts": []})
    answer = root.post(link("add"), filled(text=text, _save=""), follow=True)
    assert "Refused, nothing kept" in answer.content.decode()
    assert not ProtectionGroup.objects.exists()


def test_who_may_only_look_at_imports_neither_exports_nor_imports(browser, person):
    grant(person, ConfigurationPermission.VIEW_IMPORTS)
    page = browser.get(link("changelist")).content.decode()
    assert "Export as" not in page
    assert browser.get(link("export", "json")).status_code == 403
    assert browser.post(link("add"), filled(_save="")).status_code == 403
    assert not ProtectionGroup.objects.exists()


def test_another_format_is_not_there(root):
    assert root.get(link("export", "xml")).status_code == 404
