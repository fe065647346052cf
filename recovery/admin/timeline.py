"""Waves drawn along the time: when each would launch, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone, span

_LABEL, _WIDE = 190, 640  # of the names, and of the time
_HIGH, _BAR = 30, 16  # of a row, and of the bar in it
_HEAD = 26
_LEAST = 3  # of a bar, so that what takes no time is seen
_LONGEST = 24  # characters of a name that fit
_MARKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: it launches from `begin` to `end`, or to `slow_end`. `open`: it may take longer."""

    name: str
    said: str
    begin: timedelta
    end: timedelta
    slow_end: timedelta
    open: bool
    tone: Tone


def timeline(bars: Sequence[Bar], *, target: timedelta | None = None) -> SafeString:
    """The rows as SVG, with a line at `target`; an empty text if nothing takes any known time."""
    longest = max((bar.slow_end for bar in bars), default=timedelta(0))
    if not longest:
        return SafeString("")
    whole = max(longest, target or longest)
    high = _HEAD + _HIGH * len(bars) + 6
    rows = ((_row(bar, number, whole),) for number, bar in enumerate(bars))
    return format_html(
        '<div class="dr-scroll"><svg class="dr-graph dr-times" width="{}" height="{}" '
        'viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg></div>',
        _LABEL + _WIDE + 40,
        high,
        _LABEL + _WIDE + 40,
        high,
        "; ".join(f"{bar.name}: {bar.said}" for bar in bars),
        _marks(whole, high),
        format_html_join("", "{}", rows),
        _target(target, whole, high),
    )


def _across(at: timedelta, whole: timedelta) -> int:
    return _LABEL + round(_WIDE * (at / whole))


def _row(bar: Bar, number: int, whole: timedelta) -> SafeString:
    top = _HEAD + number * _HIGH
    begin, end, slow = (_across(at, whole) for at in (bar.begin, bar.end, bar.slow_end))
    name = bar.name if len(bar.name) <= _LONGEST else f"{bar.name[: _LONGEST - 1]}…"
    dashed = format_html(
        '<path class="dr-open" d="M{} {} H{}"></path>',
        max(slow, begin + _LEAST),
        top + _HIGH // 2,
        _LABEL + _WIDE + 30,
    )
    return format_html(
        '<g class="dr-{}"><title>{}: {}</title><text class="dr-under" x="0" y="{}">{}</text>'
        '<rect class="dr-slow" x="{}" y="{}" width="{}" height="{}" rx="3"></rect>'
        '<rect class="dr-mark" x="{}" y="{}" width="{}" height="{}" rx="3"></rect>{}</g>',
        bar.tone.value,
        bar.name,
        bar.said,
        top + _HIGH // 2 + 4,
        name,
        begin,
        top + (_HIGH - _BAR) // 2,
        max(slow - begin, _LEAST),
        _BAR,
        begin,
        top + (_HIGH - _BAR) // 2,
        max(end - begin, _LEAST),
        _BAR,
        dashed if bar.open else "",
    )


def _marks(whole: timedelta, high: int) -> SafeString:
    """Where a quarter, a half and so on of the time is."""
    times = [whole * number / _MARKS for number in range(_MARKS + 1)]
    return format_html_join(
        "",
        '<path d="M{} {} V{}"></path><text class="dr-under" x="{}" y="14">{}</text>',
        (
            (_across(at, whole), _HEAD - 6, high, _across(at, whole), span(at.total_seconds()))
            for at in times
        ),
    )


def _target(target: timedelta | None, whole: timedelta, high: int) -> SafeString:
    if target is None:
        return SafeString("")
    across = _across(target, whole)
    return format_html(
        '<g class="dr-bad"><title>RTO: {}</title>'
        '<path class="dr-target" d="M{} {} V{}"></path></g>',
        span(target.total_seconds()),
        across,
        _HEAD - 6,
        high,
    )
