"""Waves drawn as a graph: from left to right, with a line from each to those that wait for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone
from recovery.engine import graph

_WIDE, _HIGH = 196, 54  # of a box
_ACROSS, _DOWN = 52, 16  # between boxes
_EDGE = 4  # around the drawing, for the strokes
_LONGEST = 23  # characters of a name that fit into a box


@dataclass(frozen=True, slots=True)
class Box:
    """A wave in the drawing: its place in the plan, two lines of text, and what it waits for."""

    position: int
    name: str
    under: str
    tone: Tone
    needs: tuple[int, ...]


def columns(needs: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """The column of each wave, from 0: one more than the last of those that it waits for.

    The waves must not wait for each other in a circle; unknown ones are left out.
    """
    found: dict[int, int] = {}

    def column(position: int) -> int:
        if position not in found:
            before = [column(need) for need in needs[position] if need in needs]
            found[position] = 1 + max(before, default=-1)
        return found[position]

    for position in needs:
        column(position)
    return found


def in_order(needs: Mapping[int, Sequence[int]]) -> list[int]:
    """The waves in the order of the graph; as numbered where it has a circle."""
    if graph.cycle(needs):
        return sorted(needs)
    place = columns(needs)
    return sorted(needs, key=lambda position: (place[position], position))


def drawing(boxes: Sequence[Box]) -> SafeString:
    """The graph as SVG; an empty text if there is none, or if it has a circle."""
    needs = {box.position: [need for need in box.needs if need != box.position] for box in boxes}
    if not boxes or graph.cycle(needs):
        return SafeString("")
    corners = _corners(columns(needs))
    wide = max(x for x, _ in corners.values()) + _WIDE + _EDGE
    high = max(y for _, y in corners.values()) + _HIGH + _EDGE
    lines = format_html_join(
        "",
        '<path d="{}"></path>',
        (
            (_line(corners[need], corners[box.position]),)
            for box in boxes
            for need in needs[box.position]
            if need in corners
        ),
    )
    said = "; ".join(_said(box) for box in boxes)
    drawn = format_html_join("", "{}", ((_box(box, *corners[box.position]),) for box in boxes))
    return format_html(
        '<div class="dr-scroll"><svg class="dr-graph" width="{}" height="{}" viewBox="0 0 {} {}"'
        ' role="img" aria-label="{}">{}{}</svg></div>',
        wide,
        high,
        wide,
        high,
        said,
        lines,
        drawn,
    )


def _corners(place: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    rows: dict[int, int] = {}
    corners = {}
    for position in sorted(place):
        column = place[position]
        row = rows.get(column, 0)
        rows[column] = row + 1
        corners[position] = (_EDGE + column * (_WIDE + _ACROSS), _EDGE + row * (_HIGH + _DOWN))
    return corners


def _line(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = source[0] + _WIDE, source[1] + _HIGH // 2
    x2, y2 = target[0], target[1] + _HIGH // 2
    bend = _ACROSS // 2
    curve = f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return f"{curve} M{x2 - 7} {y2 - 5} L{x2 - 1} {y2} L{x2 - 7} {y2 + 5}"


def _box(box: Box, x: int, y: int) -> SafeString:
    title = f"{box.position} {box.name}"
    return format_html(
        '<g class="dr-{}"><title>{}</title>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="7"></rect>'
        '<rect class="dr-mark" x="{}" y="{}" width="6" height="{}" rx="3"></rect>'
        '<text x="{}" y="{}">{}</text><text class="dr-under" x="{}" y="{}">{}</text></g>',
        box.tone.value,
        title,
        x,
        y,
        _WIDE,
        _HIGH,
        x,
        y,
        _HIGH,
        x + 16,
        y + 22,
        _short(title),
        x + 16,
        y + 41,
        _short(box.under),
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _said(box: Box) -> str:
    after = ", ".join(map(str, box.needs))
    return f"wave {box.position} {box.name}" + (f" after {after}" if after else "")
