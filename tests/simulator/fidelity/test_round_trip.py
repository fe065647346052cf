"""In process and over HTTP, the same calls have the same answers, for every operation."""

import pytest

from drportal.simulator.operations import HANDLERS


@pytest.mark.parametrize("operation", sorted(HANDLERS))
def test_both_ways_answer_the_same(recorded, recorded_over_http, operation):
    one, other = (
        [each.comparable for each in recording.play.answers if each.operation == operation]
        for recording in (recorded, recorded_over_http)
    )
    assert one
    assert one == other


def test_empty_answers_have_no_byte_over_http(recorded_over_http):
    empty = [each for each in recorded_over_http.play.answers if each.status == 204]

    assert {each.operation for each in empty} == {
        "InitializeService",
        "DeleteJob",
        "DeleteLaunchAction",
        "DeleteLaunchConfigurationTemplate",
        "DeleteReplicationConfigurationTemplate",
        "DeleteSourceServer",
    }
    assert all(each.body == b"" for each in empty)


def test_over_http_the_answers_fit_the_model_too(recorded_over_http):
    assert recorded_over_http.off_model == []
