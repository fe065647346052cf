"""The model in the pinned botocore is the one that the simulator was built against."""

import json
from typing import Any

import pytest

from tests.simulator.fidelity.model_facts import SNAPSHOT, facts


@pytest.fixture(scope="module")
def known() -> Any:
    return json.loads(SNAPSHOT.read_text())


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    return facts()


@pytest.mark.parametrize("part", ["operations", "shapes", "pagination"])
def test_model_part_is_unchanged(known, installed, part):
    changed = {
        name: {"was": known[part].get(name), "is": installed[part].get(name)}
        for name in known[part].keys() | installed[part].keys()
        if known[part].get(name) != installed[part].get(name)
    }
    assert changed == {}


def test_regions_are_unchanged(known, installed):
    assert installed["regions"] == known["regions"]


def test_snapshot_holds_the_figures_the_simulator_relies_on(known):
    assert len(known["operations"]) == 70
    assert len(known["pagination"]) == 15
    assert sum("enum" in shape for shape in known["shapes"].values()) == 46
    assert sum(len(regions) for regions in known["regions"].values()) == 37
