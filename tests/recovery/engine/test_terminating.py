"""What an instance must be to be terminated, and what DRS's words about its end amount to."""

import pytest

from drportal.aws.drs import LogItem, RecoveryInstance
from recovery.engine.terminating import Wanted, compare, failures, verdict
from recovery.states import InstanceOutcome as O

SERVER, OTHER = "s-1", "s-2"
MEANT = Wanted(SERVER, "i-1", frozenset({"drsjob-1", "drsjob-0"}))
NAMELESS = Wanted(SERVER, "", frozenset({"drsjob-1"}))


def listed(instance="i-1", server=SERVER, job="drsjob-1"):
    return RecoveryInstance(instance, server, job, "RUNNING", True, None)


@pytest.mark.parametrize("wanted", [MEANT, NAMELESS])
def test_what_still_is_what_the_launch_left_may_be_terminated(wanted):
    found = compare(wanted, [listed("i-9", OTHER, "drsjob-9"), listed()], {})
    assert (found.outcome, found.instance_id) == (None, "i-1")


@pytest.mark.parametrize(
    ("wanted", "there", "expected", "told"),
    [
        (MEANT, [], O.GONE, "no longer lists it"),
        (MEANT, [listed("i-2", job="drsjob-2")], O.GONE, "i-2, launched by drsjob-2"),
        (MEANT, [listed("i-2", job="")], O.GONE, "left alone"),
        (MEANT, [listed(job="drsjob-2")], O.LEFT, "drsjob-2 launched it, not drsjob-0 or drsjob-1"),
        (MEANT, [listed(server=OTHER)], O.LEFT, "instance of s-2"),
        (MEANT, [listed(server="")], O.LEFT, "no server"),
        (MEANT, [listed(job="")], O.UNKNOWN, "does not say which job"),
        (Wanted(SERVER, "i-1", frozenset()), [listed()], O.LEFT, "not known"),
        (NAMELESS, [], O.GONE, "no instance"),
        (NAMELESS, [listed("i-2", job="drsjob-2")], O.LEFT, "i-2 is there"),
        (NAMELESS, [listed("i-2", job="")], O.UNKNOWN, "does not say which job"),
        (Wanted(SERVER, "", frozenset()), [listed(job="drsjob-2")], O.LEFT, "not known"),
        (Wanted(SERVER, "", frozenset()), [listed(job="")], O.UNKNOWN, "does not say which job"),
    ],
)
def test_what_differs_is_left_alone_and_said(wanted, there, expected, told):
    found = compare(wanted, there, {})
    assert found.outcome == expected
    assert told in found.message


@pytest.mark.parametrize("there", [[], [listed("i-2", job="drsjob-2")]])
@pytest.mark.parametrize(("state", "told"), [("running", "(running)"), ("", "does not tell")])
def test_what_drs_has_forgotten_and_ec2_has_is_not_gone(there, state, told):
    found = compare(MEANT, there, {"i-1": state})
    assert found.outcome == O.LEFT
    assert told in found.message
    assert "terminate it there" in found.message


@pytest.mark.parametrize(
    ("status", "there", "expected"),
    [
        ("TERMINATED", True, O.FAILED),
        ("TERMINATED", False, O.TERMINATED),
        ("FAILED", False, O.TERMINATED),
        ("", False, O.TERMINATED),
        ("FAILED", True, O.FAILED),
        ("IN_PROGRESS", True, O.FAILED),
        ("", True, O.FAILED),
        ("A_NEW_WORD", True, O.FAILED),
    ],
)
def test_an_instance_that_is_there_after_the_job_was_not_terminated(status, there, expected):
    found = verdict(status, there=there, failure="it is protected")
    assert found.outcome == expected
    assert ("it is protected" in found.message) == (expected == O.FAILED)


def test_the_log_tells_why():
    log = [
        LogItem(None, "JOB_START"),
        LogItem(None, "CLEANUP_FAIL", SERVER, error="it is protected"),
        LogItem(None, "CLEANUP_FAIL", OTHER),
        LogItem(None, "CLEANUP_END", "s-3"),
    ]
    assert failures(log) == {SERVER: "it is protected", OTHER: "DRS gives no reason"}
