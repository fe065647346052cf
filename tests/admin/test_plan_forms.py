from datetime import timedelta

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from drportal.errors import InvalidInput
from recovery.admin.plan_forms import PlanForm
from recovery.admin.wave_drafts import Draft, drafts_in, rearranged
from recovery.errors import PlanNameTaken

GROUP = "6f1c0f66-7c3e-4c0b-9f6b-0b9b1d2f3a4c"


def wave(name: str, *needs: int) -> Draft:
    return Draft(name=name, depends_on=needs)


THREE = [wave("a"), wave("b", 1), wave("c", 1, 2)]


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("add", [*THREE, Draft()]),
        ("remove-1", [wave("b"), wave("c", 1)]),
        ("remove-2", [wave("a"), wave("c", 1)]),
        ("remove-3", [wave("a"), wave("b", 1)]),
        ("up-2", [wave("b", 2), wave("a"), wave("c", 2, 1)]),
        ("down-1", [wave("b", 2), wave("a"), wave("c", 2, 1)]),
        ("up-1", THREE),
        ("down-3", THREE),
        ("remove-9", THREE),
        ("remove-0", THREE),
        ("remove-x", THREE),
        ("nonsense", THREE),
        ("check", THREE),
    ],
)
def test_waves_are_rearranged(command, after):
    assert rearranged(THREE, command) == after


@given(
    st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=6, unique=True),
    st.data(),
)
def test_whoever_waits_goes_on_waiting_for_the_same(names, data):
    places = st.integers(1, len(names))
    drafts = [
        Draft(name=name, depends_on=tuple(data.draw(st.lists(places, unique=True))))
        for name in names
    ]
    verb = data.draw(st.sampled_from(["up", "down", "remove"]))
    gone = data.draw(places)
    after = rearranged(drafts, f"{verb}-{gone}")
    left = {draft.name for draft in after}

    def waits(some: list[Draft]) -> dict[str, set[str]]:
        return {
            draft.name: {some[need - 1].name for need in draft.depends_on} & left
            for draft in some
            if draft.name in left
        }

    assert waits(after) == waits(drafts)
    assert len(after) == len(drafts) - (verb == "remove")


def sent(*waves: dict[str, str | list[str]], **head: str) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update({"name": "plan", "waves": str(len(waves)), **head})
    for index, fields in enumerate(waves):
        defaults: dict[str, str | list[str]] = {
            "name": f"w{index}",
            "time_limit_minutes": "60",
            "wait_minutes": "0",
            "success_threshold": "100",
        }
        for name, value in (defaults | fields).items():
            data.setlist(f"waves-{index}-{name}", value if isinstance(value, list) else [value])
    return data


def form(data: QueryDict) -> PlanForm:
    return PlanForm(None, data, groups=[(GROUP, "a group")])


def test_what_was_sent_becomes_what_the_service_takes():
    made = form(
        sent(
            {"groups": [GROUP]},
            {"depends_on": ["1"], "gate": "on", "gate_instructions": "look", "name": "last"},
        )
    )
    assert made.is_valid()
    first, last = made.said()["waves"]
    assert [str(group) for group in first.group_ids] == [GROUP]
    assert (last.name, last.depends_on, last.gate) == ("last", (1,), True)
    assert (last.gate_instructions, last.time_limit) == ("look", timedelta(minutes=60))


def test_a_group_that_may_not_be_chosen_is_refused():
    made = PlanForm(None, sent({"groups": [GROUP]}), groups=[])
    assert not made.is_valid()
    assert "groups" in made.waves[0].errors


def test_every_part_is_looked_at():
    made = form(sent({"time_limit_minutes": "x"}, {"time_limit_minutes": ""}, name=""))
    assert not made.is_valid()
    assert "name" in made.head.errors
    assert all("time_limit_minutes" in part.errors for part in made.waves)


def test_a_refusal_stands_at_its_wave():
    made = form(sent({}, {}))
    made.is_valid()
    errors = [
        {"field": "waves[1].group_ids", "code": "no_groups", "message": "At least one group."},
        {"field": "waves", "code": "cycle", "message": "A circle."},
        {"field": "name", "code": "invalid", "message": "A name."},
        {"field": "waves[9].name", "code": "invalid", "message": "No such wave."},
    ]
    made.refuse(InvalidInput("Not valid.", errors=errors))
    assert made.waves[1].errors == {"groups": ["At least one group."]}
    assert not made.waves[0].errors
    assert made.head.errors["name"] == ["A name."]
    assert made.non_field_errors() == ["A circle.", "No such wave."]


def test_a_refusal_that_is_about_no_field_stands_on_top():
    made = form(sent({}))
    made.is_valid()
    made.refuse(PlanNameTaken("plan"))
    assert "already" in made.non_field_errors()[0]


def test_a_command_keeps_what_was_typed_and_complains_of_nothing():
    made = form(sent({"groups": [GROUP], "name": "typed"}, _again="add", name=""))
    assert len(made.waves) == 2
    assert made.waves[0]["name"].value() == "typed"
    assert made.waves[0]["groups"].value() == [GROUP]
    assert not made.errors


@pytest.mark.parametrize("count", ["-1", "x", "", "9" * 30])
def test_a_count_that_is_none_does_no_harm(count):
    data = sent({})
    data["waves"] = count
    assert len(drafts_in(data)) <= 51


CHECK = {
    "name": "Page",
    "kind": "HTTP",
    "required": "on",
    "port": "8080",
    "path": "/health",
    "status_from": "200",
    "status_to": "204",
    "scheme": "http",
}


def with_checks(*checks: dict[str, str], **head: str) -> QueryDict:
    data = sent({"groups": [GROUP], "checks": str(len(checks))}, **head)
    for index, check in enumerate(checks):
        for name, value in check.items():
            data[f"waves-0-checks-{index}-{name}"] = value
    return data


def test_checks_that_are_typed_are_said_and_rows_that_are_empty_are_not():
    ping = {"kind": "SSM", "name": "Ping", "parameters": "commands=true\ncommands=a=b\n"}
    made = form(with_checks({}, CHECK, ping, {}))
    assert made.is_valid(), [part.errors for part in made.waves[0].checks]
    page, command = made.said()["waves"][0].checks
    assert (page["port"], page["path"], page["required"], page["attempts"]) == (
        8080,
        "/health",
        True,
        60,
    )
    assert (command["parameters"], command["repeatable"]) == ({"commands": ["true", "a=b"]}, False)
    assert command["document"] == "AWS-RunShellScript"


def test_what_is_wrong_with_a_check_stands_at_that_check():
    made = form(with_checks({}, CHECK | {"port": "x"}))
    assert not made.is_valid()
    made = form(with_checks({}, CHECK))
    assert made.is_valid()
    error = {"field": "waves[0].checks[0].path", "code": "invalid", "message": "No path."}
    made.refuse(InvalidInput("Not valid.", errors=[error]))
    assert made.waves[0].checks[1].errors == {"path": ["No path."]}
    assert made.errors


def test_checks_move_with_their_wave_and_there_are_rows_to_spare():
    made = form(with_checks(CHECK, _again="add"))
    rows = made.waves[0].checks
    assert [row["name"].value() for row in rows] == ["Page", "", ""]
    assert (rows[0]["required"].value(), rows[0]["verify_tls"].value()) == (True, False)
    assert rows[1]["attempts"].value() == 60
    assert not made.errors
