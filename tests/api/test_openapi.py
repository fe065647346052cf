import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

COMMITTED = Path(settings.BASE_DIR) / "docs" / "reference" / "openapi.yaml"
WRITES = {"post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> Any:
    made = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=made)
    return yaml.safe_load(made.getvalue())


def _operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_committed_document_is_what_the_code_says(document):
    assert yaml.safe_load(COMMITTED.read_text()) == document


def test_every_operation_is_described_and_says_what_can_go_wrong(document):
    for path, method, operation in _operations(document):
        assert operation["description"], path
        problems = {"400", "401", "403"}
        problems |= {"409", "413", "415"} if method in WRITES else set()
        problems |= {"404"} if "{" in path else set()
        for status in problems:
            (media,) = operation["responses"][status]["content"]
            assert media == "application/problem+json", (path, method, status)


def test_every_write_but_the_session_takes_an_idempotency_key(document):
    taking = {
        (path, method)
        for path, method, operation in _operations(document)
        if any(held["name"] == "Idempotency-Key" for held in operation.get("parameters", []))
    }
    writes = {(path, method) for path, method, _ in _operations(document) if method in WRITES}
    assert writes - taking == {
        ("/api/v1/session", "post"),
        ("/api/v1/session", "delete"),
        ("/api/v1/staging-accounts/validate", "post"),  # it only asks AWS, and changes nothing
    }


def test_no_answer_has_room_for_an_external_id(document):
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("Request"):
            assert "external_id" not in schema.get("properties", {}), name


def test_executions_are_answered_with_202(document):
    started = document["paths"]["/api/v1/executions"]["post"]
    assert "202" in started["responses"]
    assert "201" not in started["responses"]
