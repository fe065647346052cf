"""The schema: what breaks it is named by its place, and what is left out gets its default."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from recovery.documents.schema import SCHEMA, VERSION, complaints, completed

COMMITTED = Path(__file__).resolve().parents[3] / "docs/reference/configuration.schema.json"
GROUP = {"name": "Web", "account_id": "210000000001", "region": "us-east-1"}
PLAN: dict[str, Any] = {"name": "Plan", "waves": [{"name": "one", "groups": [{"group": "Web"}]}]}


def document(**more):
    return {"schema_version": VERSION, **more}


def test_the_committed_schema_is_that_of_the_code():
    assert json.loads(COMMITTED.read_text()) == SCHEMA


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("found", "field", "code"),
    [
        ({}, "", "MISSING_SCHEMA_VERSION"),
        ([], "", "WRONG_TYPE"),
        ({"schema_version": "9.0"}, "schema_version", "UNSUPPORTED_SCHEMA_VERSION"),
        (document(group=[]), "", "UNKNOWN_FIELD"),
        (document(groups=[{"name": "x"}]), "groups[0]", "MISSING_REQUIRED_FIELD"),
        (
            document(groups=[GROUP | {"account_id": 210000000001}]),
            "groups[0].account_id",
            "WRONG_TYPE",
        ),
        (document(groups=[GROUP | {"name": "x" * 65}]), "groups[0].name", "INVALID"),
        (document(groups=[GROUP | {"region": "nowhere"}]), "groups[0].region", "INVALID"),
        (document(groups=[GROUP | {"external_id": "x"}]), "groups[0]", "UNKNOWN_FIELD"),
        (
            document(plans=[PLAN | {"waves": [PLAN["waves"][0] | {"success_threshold": 0}]}]),
            "plans[0].waves[0].success_threshold",
            "INVALID",
        ),
    ],
)
def test_a_complaint_names_the_place(found, field, code):
    assert (field, code) in [(each["field"], each["code"]) for each in complaints(found)]


def test_a_number_where_text_belongs_is_told_to_be_quoted():
    (told,) = complaints(document(groups=[GROUP | {"account_id": 210000000001}]))
    assert "needs quotes" in told["message"]


def test_complaints_are_bounded():
    many = document(groups=[{} for _ in range(500)])
    assert len(complaints(many)) == 100


def test_a_member_that_is_left_out_is_at_its_default():
    made = completed(document(groups=[GROUP], plans=[PLAN]))
    assert made["groups"][0] == {
        "name": "Web",
        "description": "",
        "owner": "",
        "account_id": "210000000001",
        "region": "us-east-1",
        "tags": {},
        "server_ids": [],
        "allows_overlap": False,
        "launch_settings": {},
        "servers": [],
    }
    assert made["plans"][0]["waves"][0]["groups"] == [
        {"group": "Web", "server_ids": [], "optional_server_ids": []}
    ]
    assert made["plans"][0]["rto_seconds"] is None


def test_a_section_that_is_left_out_stays_out():
    assert completed(document(plans=[PLAN])).keys() == {"schema_version", "plans"}
