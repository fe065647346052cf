"""Capacity is judged by one table: no other module holds its numbers."""

import ast

from tests.architecture.test_house_rules import modules, name_of, offenders

TABLE = "protection/rules/capacity.py"
QUOTAS = "drportal/aws/limits.py"
PLACES = modules("protection", "recovery", "queries", "drportal/aws")
# Seconds, the size of a page, the most that a form or a request holds: nothing of capacity.
SOMETHING_ELSE = {
    "drportal/aws/staging.py",
    "protection/schedules.py",
    "protection/services/launch_choices.py",
    "recovery/admin/plan_forms.py",
    "recovery/api/plan_serializers.py",
}


def holders(numbers: set[int], *, allowed: str) -> list[str]:
    def holds(node: ast.AST) -> bool:
        is_number = isinstance(node, ast.Constant) and type(node.value) in {int, float}
        return is_number and node.value in numbers  # type: ignore[attr-defined]  # a Constant

    places = [path for path in PLACES if name_of(path) not in {allowed, *SOMETHING_ELSE}]
    return offenders(places, holds)


def test_thresholds_are_in_one_table():
    assert not holders({225, 250, 280}, allowed=TABLE)
    assert offenders([path for path in PLACES if name_of(path) == TABLE], _is_280)


def test_documented_quotas_are_in_one_table():
    # The table of thresholds is written in parts of 300.
    found = holders({300, 4000}, allowed=QUOTAS)
    assert not [place for place in found if not place.startswith(TABLE)]


def _is_280(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 280
