"""How pages show states, ages and progress, and how form fields look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django import forms
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import (
    CHECKBOX_CLASSES,
    INPUT_CLASSES,
    SELECT_CLASSES,
    TEXTAREA_CLASSES,
    UnfoldAdminFileFieldWidget,
)


class Tone(StrEnum):
    """What a state means to whoever looks. Only GOOD is green."""

    GOOD = "good"
    BUSY = "busy"
    WAIT = "wait"
    BAD = "bad"
    UNSURE = "unsure"
    PLAIN = "plain"


def badge(label: str, tone: Tone, *, hint: str = "") -> SafeString:
    """A state in words, with a colour beside them. `hint` is shown on hovering."""
    title = format_html(' title="{}"', hint) if hint else ""
    return format_html('<span class="dr-badge dr-{}"{}>{}</span>', tone.value, title, label)


def span(seconds: float) -> str:
    """A length of time in its two largest units: "4 min 10 s", "2 h". Less than none is none."""
    left = max(0, int(seconds))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for unit, size in units:
        count, left = divmod(left, size)
        if parts or count:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def lasting(length: timedelta | None) -> str:
    """A duration, or "unknown" where there is none."""
    return "unknown" if length is None else span(length.total_seconds())


def age(at: datetime | None, *, never: str = "never", stale_after: timedelta | None = None) -> str:
    """How long ago `at` was, ticking on in the browser; red once it is older than `stale_after`."""
    if at is None:
        return format_html('<span class="dr-old">{}</span>', never)
    seconds = (timezone.now() - at).total_seconds()
    old = stale_after is not None and seconds > stale_after.total_seconds()
    limit = format_html(' data-stale="{}"', int(stale_after.total_seconds())) if stale_after else ""
    return format_html(
        '<time class="dr-age{}" datetime="{}" title="{}" data-age="{}"{}>{} ago</time>',
        " dr-old" if old else "",
        at.isoformat(),
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        int(max(0, seconds)),
        limit,
        span(seconds),
    )


def lapse(since: datetime | None, until: datetime | None) -> str:
    """The time between two moments; it ticks on in the browser while there is no second one."""
    if since is None:
        return "–"  # noqa: RUF001  # an en dash stands for "none"
    seconds = ((until or timezone.now()) - since).total_seconds()
    if until is not None:
        return format_html('<span class="dr-nowrap">{}</span>', span(seconds))
    return format_html(
        '<span class="dr-nowrap" data-lapse="{}">{}</span>', int(max(0, seconds)), span(seconds)
    )


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a progress bar: how many, what they are, and how that is to be read."""

    count: int
    word: str
    tone: Tone


def progress(shares: Sequence[Share]) -> SafeString:
    """A bar, and the same in words, so that colour is never all there is."""
    total = sum(share.count for share in shares)
    words = ", ".join(f"{share.count} {share.word}" for share in shares if share.count)
    said = f"{words} of {total}" if total else "no servers"
    bars = []
    start = 0.0
    for share in shares:
        width = 100 * share.count / total if total else 0
        if width:
            bars.append((f"{start:.3f}", f"{width:.3f}", share.tone.value))
        start += width
    drawn = format_html_join(
        "", '<rect x="{}" width="{}" y="0" height="8" class="dr-fill dr-{}"></rect>', bars
    )
    return format_html(
        '<span class="dr-progress"><svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg><span class="dr-said">{}</span></span>',
        said,
        drawn,
        said,
    )


class FileInput(UnfoldAdminFileFieldWidget):  # type: ignore[misc]  # the theme has no annotations
    """The field for a file: the theme's script breaks on a plain one."""


def gauge(share: float | None, said: str, tone: Tone) -> SafeString:
    """A bar that is full by `share` (1 is full, more is no fuller), and the same in words. One
    that is not known is hatched all over, so that nobody takes it for an empty one.
    """
    width = "100" if share is None else f"{100 * min(max(share, 0), 1):.3f}"
    look = "dr-hatched" if share is None else "dr-fill"
    return format_html(
        '<span class="dr-progress"><svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><rect width="{}" y="0" height="8" class="{} dr-{}"></rect></svg>'
        '<span class="dr-said">{}</span></span>',
        said,
        width,
        look,
        tone.value,
        said,
    )


_LOOKS: tuple[tuple[type[forms.Widget], Sequence[str]], ...] = (
    (forms.CheckboxInput, CHECKBOX_CLASSES),
    (forms.Select, SELECT_CLASSES),
    (forms.Textarea, TEXTAREA_CLASSES),
    (forms.widgets.Input, INPUT_CLASSES),
)


def dress(form: forms.BaseForm) -> None:
    """Give a form's fields the theme's looks; groups of boxes have those of our style sheet."""
    for field in form.fields.values():
        widget = field.widget
        grouped = isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
        if grouped or widget.is_hidden:
            continue
        for kind, classes in _LOOKS:
            if isinstance(widget, kind):
                widget.attrs.setdefault("class", " ".join(classes))
                break
