from datetime import timedelta

import pytest
from django import forms
from django.utils import timezone

from drportal.adminkit.forms import PortalForm
from drportal.adminkit.widgets import Share, Tone, age, badge, lapse, lasting, progress, span
from drportal.errors import Forbidden, InvalidInput


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 40, "40 d"),
    ],
)
def test_a_length_of_time_is_said_in_two_units(seconds, said):
    assert span(seconds) == said


def test_no_duration_is_unknown_and_not_zero():
    assert (lasting(None), lasting(timedelta(0))) == ("unknown", "0 s")


def test_an_age_turns_red_once_it_is_too_old():
    at = timezone.now() - timedelta(minutes=30)
    assert "dr-old" in age(at, stale_after=timedelta(minutes=20))
    assert "dr-old" not in age(at, stale_after=timedelta(minutes=40))
    assert 'data-age="1800"' in age(at)


def test_what_never_happened_says_so_in_red():
    assert age(None) == '<span class="dr-old">never</span>'


def test_a_lapse_ticks_only_while_it_has_no_end():
    start = timezone.now() - timedelta(minutes=2)
    assert 'data-lapse="120"' in lapse(start, None)
    assert "data-lapse" not in lapse(start, start + timedelta(seconds=5))
    assert "5 s" in lapse(start, start + timedelta(seconds=5))


def test_progress_says_in_words_what_the_bar_shows():
    drawn = progress([Share(3, "launched", Tone.GOOD), Share(1, "failed", Tone.BAD)])
    assert "3 launched, 1 failed of 4" in drawn
    assert 'width="75.000"' in drawn
    assert 'x="75.000"' in drawn


def test_progress_of_nothing_has_no_bar():
    drawn = progress([Share(0, "launched", Tone.GOOD)])
    assert "no servers" in drawn
    assert "<rect" not in drawn


def test_what_a_badge_says_is_escaped():
    assert "<script>" not in badge("<script>", Tone.BAD, hint='"><script>')


class Form(PortalForm):
    name = forms.CharField()


def test_a_refusal_stands_beside_its_field():
    form = Form({"name": "x"})
    assert form.is_valid()
    form.refuse(InvalidInput.field("name", "taken", "It is taken."))
    assert form.errors == {"name": ["It is taken."]}


def test_a_refusal_of_a_field_that_is_not_there_stands_on_top():
    form = Form({"name": "x"})
    assert form.is_valid()
    form.refuse(InvalidInput.field("other", "bad", "It is bad."))
    assert form.non_field_errors() == ["It is bad."]


def test_a_refusal_without_a_field_stands_on_top():
    form = Form({"name": "x"})
    assert form.is_valid()
    form.refuse(Forbidden("You may not."))
    assert form.non_field_errors() == ["You may not."]
