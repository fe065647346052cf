"""`manage.py configuration`: the same document, from a shell."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from protection.models import ProtectionGroup
from recovery import configuration
from recovery.documents.text import Format, read, written
from tests.factories.protection import ProtectionGroupFactory

pytestmark = pytest.mark.django_db


def run(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("configuration", *words, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def document() -> dict[str, Any]:
    return {
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


@pytest.fixture
def file(tmp_path: Path, document) -> Path:
    path = tmp_path / "document.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("form", Format)
def test_it_exports_to_the_byte(form):
    ProtectionGroupFactory.create()
    assert run("export", format=form) == written(configuration.document(), form)


def test_it_imports_a_file(file):
    told = json.loads(run("import", str(file)))
    assert told["summary"]["groups"]["created"] == 1
    assert ProtectionGroup.objects.get().name == "Web"


def test_it_reads_standard_input(monkeypatch, document):
    monkeypatch.setattr("sys.stdin", io.StringIO(written(document, Format.YAML)))
    run("import")
    assert ProtectionGroup.objects.get().name == "Web"


def test_a_dry_run_changes_nothing(file):
    told = json.loads(run("import", str(file), dry_run=True))
    assert told["summary"]["groups"]["created"] == 1
    assert not ProtectionGroup.objects.exists()


def test_it_ends_with_an_error_when_parts_are_refused(tmp_path, document):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document | {"accounts": []}))
    with pytest.raises(CommandError, match="nothing was kept") as error:
        run("import", str(path))
    assert error.value.returncode == 1
    assert not ProtectionGroup.objects.exists()


def test_it_says_where_a_document_is_wrong(tmp_path, document):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document | {"groups": [{}]}))
    with pytest.raises(CommandError, match=r"groups\[0\]: 'name' is a required") as error:
        run("check", str(path))
    assert error.value.returncode == 2


def test_it_checks_without_importing(file):
    assert "can be read" in run("check", str(file))
    assert not ProtectionGroup.objects.exists()


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(CommandError, match=r"nowhere\.json: No such file"):
        run("import", "nowhere.json")


def test_what_it_exports_it_imports(tmp_path):
    ProtectionGroupFactory.create()
    text = run("export")
    path = tmp_path / "own.json"
    path.write_text(text)
    told = json.loads(run("import", str(path), mode="UPDATE"))
    assert told["created"] == told["updated"] == []
    assert read(run("export")) == read(text)
