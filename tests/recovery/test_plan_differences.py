import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from recovery.services.plan_differences import Change, WaveChange, What, differences


def wave(position: int, name: str, **more: Any) -> dict[str, Any]:
    return {
        "position": position,
        "name": name,
        "depends_on": [],
        "gate": False,
        "gate_instructions": "",
        "wait_seconds": 0,
        "time_limit_seconds": 3600,
        "success_threshold": 100,
        "groups": [{"id": "g", "name": "g", "server_ids": [], "optional_server_ids": []}],
    } | more


def plan(*waves: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "Plan", "description": "", "waves": list(waves)} | more


def test_what_is_the_same_is_no_difference():
    said = plan(wave(1, "a"), wave(2, "b", depends_on=[1]))
    assert not differences(said, copy.deepcopy(said))


def test_what_older_documents_do_not_say_is_no_difference():
    old = plan({k: v for k, v in wave(1, "a").items() if not k.endswith(("threshold", "wait"))})
    assert not differences(old, plan(wave(1, "a"), owner="", tags={}, rto_seconds=None))


def test_fields_of_the_plan_and_of_its_waves():
    before = plan(wave(1, "a"), rto_seconds=60)
    after = plan(wave(1, "a", success_threshold=50, wait_seconds=60), rto_seconds=None)
    found = differences(before, after)
    assert found.plan == (Change("rto_seconds", 60, None),)
    changed = (Change("wait_seconds", 0, 60), Change("success_threshold", 100, 50))
    assert found.waves == (WaveChange(1, "a", What.CHANGED, changed),)


def test_waves_come_and_go():
    found = differences(
        plan(wave(1, "a"), wave(2, "b")), plan(wave(1, "a"), wave(2, "c"), wave(3, "d"))
    )
    told = [(row.position, row.name, row.what) for row in found.waves]
    assert told == [(2, "c", What.CHANGED), (3, "d", What.ADDED)]
    assert found.waves[0].changes == (Change("name", "b", "c"),)
    gone = differences(plan(wave(1, "a"), wave(2, "b")), plan(wave(1, "b")))
    assert WaveChange(1, "a", What.REMOVED) in gone.waves


def test_a_wave_that_moves_changes_its_position_and_nothing_of_those_that_wait_for_it():
    before = plan(wave(1, "a"), wave(2, "b"), wave(3, "c", depends_on=[1]))
    after = plan(wave(1, "b"), wave(2, "a"), wave(3, "c", depends_on=[2]))
    found = {
        row.name: [change.field for change in row.changes]
        for row in differences(before, after).waves
    }
    assert found == {"a": ["position"], "b": ["position"]}


def test_chosen_servers_are_told():
    group = {"id": "g", "name": "g", "server_ids": ["s-1"], "optional_server_ids": ["s-1"]}
    found = differences(plan(wave(1, "a")), plan(wave(1, "a", groups=[group])))
    assert found.waves[0].changes == (Change("groups", ["g"], ["g; only s-1; optional s-1"]),)


_NAMES = st.lists(st.sampled_from("abcd"), max_size=5)


@given(_NAMES, _NAMES)
def test_every_wave_is_accounted_for(before, after):
    old = plan(*(wave(n, name) for n, name in enumerate(before, start=1)))
    new = plan(*(wave(n, name) for n, name in enumerate(after, start=1)))
    found = differences(old, new)
    added = sum(row.what == What.ADDED for row in found.waves)
    removed = sum(row.what == What.REMOVED for row in found.waves)
    assert len(before) - removed + added == len(after)
    assert bool(found) == (before != after)
