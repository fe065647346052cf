"""The report of an execution as a PDF: the same facts as its page, to be filed.

The fonts are those that every reader has, so nothing is embedded; a letter that they lack is
written by its number, such as \\u0436, never left out.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from recovery.engine.measures import Spent, Verdict
from recovery.engine.options import StartOptions
from recovery.models import Execution, WaveServer
from recovery.services.plan_differences import Change, Differences
from recovery.services.reports import Measured, Report, Since, checks_said
from recovery.states import Kind, ServerState, WaveState

_LONGEST: Final = 1500  # letters of a message: more would not fit on a page
_MARGIN: Final = 15 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
_UNKNOWN: Final = "unknown"
_TEXT: Final = ParagraphStyle("text", fontName="Helvetica", fontSize=8, leading=10)
_SMALL: Final = ParagraphStyle("small", parent=_TEXT, fontSize=6.5, leading=8)
_BOLD: Final = ParagraphStyle("bold", parent=_SMALL, fontName="Helvetica-Bold")
_HEAD: Final = ParagraphStyle(
    "head", fontName="Helvetica-Bold", fontSize=11, leading=14, spaceBefore=8, spaceAfter=3
)
_TITLE: Final = ParagraphStyle("title", parent=_HEAD, fontSize=15, leading=19)
_GRID: Final = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
    ]
)
_VERDICTS: Final = {
    Verdict.NO_TARGET: "no target",
    Verdict.OPEN: "still open",
    Verdict.KEPT: "kept",
    Verdict.MISSED: "missed",
    Verdict.UNKNOWN: _UNKNOWN,
}
_SPENT: Final = {
    Spent.AWS: "AWS launched",
    Spent.QUEUE: "Launch jobs waited in line",
    Spent.PEOPLE: "Gates and pauses waited for people",
    Spent.TIMER: "Timers ran",
    Spent.PORTAL: "The portal polled and decided",
}


def pdf_of(report: Report) -> bytes:
    """A report as a PDF. No query."""
    made = BytesIO()
    execution = report.execution
    head = f"{Kind(execution.kind).label.upper()} of {execution.plan_name}: {execution.pk}"
    document = SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN + 5 * mm,
        bottomMargin=_MARGIN + 5 * mm,
        title=_plain(f"Report of the {execution}"),
        author="DR portal",
        subject=_plain(head),
    )

    class Numbered(_Numbered):
        told = _plain(head)

    document.build(list(_story(report)), canvasmaker=Numbered)
    return made.getvalue()


class _Numbered(Canvas):  # type: ignore[misc]  # the library has no annotations
    """Says on each page what it is of, and which of how many it is."""

    told = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  # as the library spells it
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for page in self._pages:
            self.__dict__.update(page)
            self.setFont("Helvetica", 7)
            self.drawString(_MARGIN, A4[1] - _MARGIN, _fitting(self.told))
            number = f"Page {self._pageNumber} of {len(self._pages)}"
            self.drawRightString(A4[0] - _MARGIN, _MARGIN, number)
            super().showPage()
        super().save()


def _story(report: Report) -> Iterable[Any]:
    execution = report.execution
    kind = Kind(execution.kind)
    yield Paragraph(_safe(f"{kind.label.upper()} of {execution.plan_name}"), _TITLE)
    if not report.final:
        said = "This execution has not ended. What is told here is what is so far."
        yield Paragraph(said, _TEXT)
    yield _table([], _asked_for(report), (30, 70))
    yield from _part("Against the targets")
    yield _table(("Measure", "Target", "Reached", "Verdict"), _targets(report), (46, 20, 20, 14))
    yield from _part("Where the time went")
    yield _table([], _spent(report.measured), (60, 25, 15))
    yield from _part("Waves")
    named = ("Wave", "State", "Critical servers launched", "Since the request", "Since its start")
    yield _table(named, _waves(report), (34, 14, 18, 17, 17))
    yield from (Paragraph(_safe(line), _SMALL) for line in _gates(report))
    yield from _part("Servers")
    columns = ("Server", "Wave", "State", "Instance", "Recovery point", "Ended (UTC)", "Message")
    yield _table(columns, _servers(report), (24, 11, 9, 13, 13, 11, 19))
    yield from _part(f"Since the last {kind.label.lower()}")
    yield from (Paragraph(_safe(line), _TEXT) for line in _since(report.since))
    yield from _part("Timeline (UTC)")
    events = [(_at(row.at), _shortened(row.message), row.actor) for row in report.events]
    yield _table(("When", "What", "Who"), events, (17, 65, 18))


def _asked_for(report: Report) -> Iterable[Sequence[str]]:
    execution = report.execution
    yield "Plan", f"{execution.plan_name}, version {execution.plan_version}"
    yield "State", execution.get_state_display()
    yield "Requested by", execution.requested_by
    yield "Requested", f"{_at(execution.created_at)} UTC"
    ended = execution.finished_at
    yield "Ended", f"{_at(ended)} UTC" if ended else "not yet"
    yield "Took" if report.final else "So far", _lasting(report.measured.took)
    yield "Reason", execution.reason or "none was given"
    if execution.ticket:
        yield "Ticket", execution.ticket
    if execution.options:
        yield "Part", StartOptions.of_dict(execution.options).said()
    yield from _approved(execution)
    if execution.cancel_requested_at:
        said = f"{execution.cancel_requested_by}, {_at(execution.cancel_requested_at)} UTC"
        yield "Cancelled by", f"{said}: {execution.cancel_reason or 'no reason was given'}"
    yield "Execution", str(execution.pk)
    yield "Report made", f"{_at(report.made_at)} UTC"


def _approved(execution: Execution) -> Iterable[Sequence[str]]:
    if execution.approved_at:
        comment = f": {execution.approval_comment}" if execution.approval_comment else ""
        said = f"{execution.approved_by}, {_at(execution.approved_at)} UTC{comment}"
        yield "Approved by", said
    elif execution.approval_needed:
        yield "Approved by", "nobody"


def _targets(report: Report) -> Iterable[Sequence[str]]:
    measured = report.measured
    taken = _or_not(measured.rto_taken) if measured.critical else "no critical server"
    yield (
        "Time until the last critical server was launched (RTO)",
        _target(measured, measured.rto),
        taken,
        _VERDICTS[measured.rto_verdict],
    )
    worst = _lasting(measured.rpo_worst)
    if measured.rpo_unknown and measured.rpo_worst is not None:
        worst += f" at least; unknown of {measured.rpo_unknown}"
    yield (
        "Oldest recovery point of a launched server (RPO)",
        _target(measured, measured.rpo),
        worst,
        _VERDICTS[measured.rpo_verdict],
    )


def _target(measured: Measured, length: timedelta | None) -> str:
    if not measured.targets_known:
        return "not known: the plan was deleted"
    return "none" if length is None else f"at most {_lasting(length)}"


def _spent(measured: Measured) -> Iterable[Sequence[str]]:
    whole = measured.took.total_seconds()
    for what, length in measured.spent.items():
        share = length.total_seconds() / whole if whole else 0.0
        yield _SPENT[what], _lasting(length), f"{share:.0%}"


def _waves(report: Report) -> Iterable[Sequence[str]]:
    states = {wave.position: wave.state for wave in report.execution.waves.all()}
    for wave in report.measured.waves:
        yield (
            f"{wave.position} {wave.name}",
            str(WaveState(states[wave.position]).label),
            f"{wave.launched} of {wave.critical}",
            _or_not(wave.since_request),
            _or_not(wave.since_start),
        )


def _gates(report: Report) -> Iterable[str]:
    for wave in report.execution.waves.all():
        before = f"Gate before {wave.position} {wave.name}"
        for row in wave.decisions.all():
            comment = f": {row.comment}" if row.comment else ""
            yield f"{before}: {row}, {_at(row.at)} UTC{comment}"
        if wave.gate_opened_at:
            comment = f": {wave.gate_comment}" if wave.gate_comment else ""
            yield f"{before}: opened by {wave.gate_opened_by}, {_at(wave.gate_opened_at)}{comment}"
        elif wave.gate_reached_at:
            yield f"{before}: reached {_at(wave.gate_reached_at)} UTC, never opened."


def _servers(report: Report) -> Iterable[Sequence[str]]:
    ages = {point.server.pk: point.age for point in report.measured.points}
    for wave in report.execution.waves.all():
        for server in wave.servers.all():
            launched = server.pk in ages
            optional = "" if server.critical else " (optional)"
            place = f"{server.server_id} {server.account_id} {server.region}"
            yield (
                f"{server.name}{optional} {place}",
                f"{wave.position} {wave.name}",
                str(ServerState(server.state).label),
                server.recovery_instance_id or ("not known" if launched else ""),
                _point(server, ages.get(server.pk)) if launched else "",
                _at(server.finished_at) if server.finished_at else "",
                _shortened("\n".join(filter(None, [server.message, *checks_said(server)]))),
            )


def _point(server: WaveServer, age: timedelta | None) -> str:
    at = f"{_at(server.recovery_point_at)}, " if server.recovery_point_at else ""
    return f"{at}{_UNKNOWN}" if age is None else f"{at}{_lasting(age)} old"


def _since(since: Since | None) -> Iterable[str]:
    if since is None:
        yield "There was none before."
        return
    before = since.execution
    ended = _at(before.finished_at) if before.finished_at else "at an unknown time"
    state = before.get_state_display().lower()
    yield f"Compared with the one that ended {ended} UTC ({state}, version {before.plan_version})."
    if since.changes is None:
        yield "What the plan said then is no longer known."
    else:
        yield from _changes(since.changes)
    for told, names in (
        ("Servers added", since.servers_added),
        ("Servers no longer in it", since.servers_left_out),
    ):
        if names:
            yield f"{told}: {', '.join(names)}"


def _changes(found: Differences) -> Iterable[str]:
    if not found:
        yield "The plan said the same."
    for change in found.plan:
        yield f"Plan, {_change(change)}"
    for wave in found.waves:
        where = f"Wave {wave.position} {wave.name} ({wave.what.lower()})"
        yield where if not wave.changes else f"{where}: " + "; ".join(map(_change, wave.changes))


def _change(change: Change) -> str:
    name = change.field.replace("_", " ")
    return f"{name}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _part(title: str) -> Iterable[Any]:
    yield Spacer(1, 2 * mm)
    yield Paragraph(_safe(title), _HEAD)


def _table(named: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Any:
    """A table whose widths are percent of the page, and whose head is on each page."""
    cells = [[Paragraph(_safe(cell), _SMALL) for cell in row] for row in rows]
    head = [[Paragraph(_safe(name), _BOLD) for name in named]] if named else []
    if not cells:
        return Paragraph("None.", _TEXT)
    return LongTable(
        head + cells,
        colWidths=[_WIDTH * width / 100 for width in widths],
        repeatRows=len(head),
        style=_GRID,
        hAlign="LEFT",
        splitInRow=1,
    )


def _plain(text: str) -> str:
    """Text in letters that the fonts have; others by their numbers."""
    kept = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
    return kept.encode("cp1252", "backslashreplace").decode("cp1252")


def _safe(text: str) -> str:
    """Text that is no mark-up."""
    return escape(_plain(text)).replace("\n", "<br/>")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} [shortened]"


def _fitting(text: str) -> str:
    longest = 110
    return text if len(text) <= longest else f"{text[:longest]}..."


def _at(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else _UNKNOWN


def _or_not(length: timedelta | None) -> str:
    return "not reached" if length is None else _lasting(length)


def _lasting(length: timedelta | None) -> str:
    """A duration in its two largest units, or that it is not known."""
    if length is None:
        return _UNKNOWN
    left = max(0, int(length.total_seconds()))
    told: list[str] = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count and len(told) < 2:  # noqa: PLR2004  # its two largest
            told.append(f"{count} {name}")
        elif told:
            break
    return " ".join(told) or "0 s"
