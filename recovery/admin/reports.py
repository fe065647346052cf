"""The page of an execution's report, to be read, printed and filed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone, badge, gauge, lasting
from recovery.admin import tones
from recovery.admin.plan_versions import ChangeLine, change_lines
from recovery.engine.measures import Spent, Verdict
from recovery.engine.options import StartOptions
from recovery.models import WaveServer
from recovery.services.reports import Measured, Report, checks_said
from recovery.states import ServerState

_VERDICTS = {
    Verdict.NO_TARGET: ("No target", Tone.PLAIN),
    Verdict.OPEN: ("Still open", Tone.WAIT),
    Verdict.KEPT: ("Kept", Tone.GOOD),
    Verdict.MISSED: ("Missed", Tone.BAD),
    Verdict.UNKNOWN: ("Unknown", Tone.UNSURE),
}
_SPENT = {
    Spent.AWS: ("AWS launched", Tone.BUSY),
    Spent.QUEUE: ("Launch jobs waited in line", Tone.WAIT),
    Spent.PEOPLE: ("Gates and pauses waited for people", Tone.WAIT),
    Spent.TIMER: ("Timers ran", Tone.WAIT),
    Spent.PORTAL: ("The portal polled and decided", Tone.PLAIN),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A measure against its target."""

    name: str
    target: str
    reached: str
    badge: SafeString


@dataclass(frozen=True, slots=True)
class SpentLine:
    """What a part of the time went into."""

    what: str
    share: SafeString


@dataclass(frozen=True, slots=True)
class WaveLine:
    """How long a wave took."""

    name: str
    critical: str
    since_request: str
    since_start: str


@dataclass(frozen=True, slots=True)
class ServerLine:
    """What became of a server."""

    server: WaveServer
    wave: str
    badge: SafeString
    point_age: str
    chosen: str
    checks: Sequence[str]


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows of a report."""

    report: Report
    kind: SafeString
    badge: SafeString
    part: str
    took: str
    targets: Sequence[Target]
    spent: Sequence[SpentLine]
    waves: Sequence[WaveLine]
    servers: Sequence[ServerLine]
    changes: Sequence[ChangeLine] | None


def page(report: Report) -> Page:
    """A report in words and colours. No query."""
    measured, execution = report.measured, report.execution
    since = report.since
    return Page(
        report=report,
        kind=tones.kind_badge(execution.kind),
        badge=tones.execution_badge(execution.state),
        part=StartOptions.of_dict(execution.options).said(),
        took=lasting(measured.took),
        targets=[_rto(measured), _rpo(measured)],
        spent=_spent(measured),
        waves=[
            WaveLine(
                name=f"{wave.position} {wave.name}",
                critical=f"{wave.launched} of {wave.critical}",
                since_request=_or_not(wave.since_request),
                since_start=_or_not(wave.since_start),
            )
            for wave in measured.waves
        ],
        servers=_servers(report),
        changes=change_lines(since.changes) if since and since.changes is not None else None,
    )


def _rto(measured: Measured) -> Target:
    return Target(
        name="Time until the last critical server was launched (RTO)",
        target=_target(measured, measured.rto),
        reached=_or_not(measured.rto_taken) if measured.critical else "no critical server",
        badge=_verdict(measured.rto_verdict),
    )


def _rpo(measured: Measured) -> Target:
    told = "unknown" if measured.rpo_worst is None else lasting(measured.rpo_worst)
    if measured.rpo_unknown and measured.rpo_worst is not None:
        told += f" at least; unknown of {measured.rpo_unknown}"
    return Target(
        name="Oldest recovery point of a launched server (RPO)",
        target=_target(measured, measured.rpo),
        reached=told,
        badge=_verdict(measured.rpo_verdict),
    )


def _target(measured: Measured, length: timedelta | None) -> str:
    if not measured.targets_known:
        return "not known: the plan was deleted"
    return "none" if length is None else f"at most {lasting(length)}"


def _or_not(length: timedelta | None) -> str:
    return "not reached" if length is None else lasting(length)


def _verdict(verdict: Verdict) -> SafeString:
    return badge(*_VERDICTS[verdict])


def _spent(measured: Measured) -> list[SpentLine]:
    whole = measured.took.total_seconds()
    lines = []
    for what, length in measured.spent.items():
        name, tone = _SPENT[what]
        share = length.total_seconds() / whole if whole else 0.0
        lines.append(SpentLine(name, gauge(share, f"{lasting(length)}, {share:.0%}", tone)))
    return lines


def _servers(report: Report) -> list[ServerLine]:
    ages = {point.server.pk: point.age for point in report.measured.points}
    return [
        ServerLine(
            server=server,
            wave=f"{wave.position} {wave.name}",
            badge=tones.server_badge(ServerState(server.state)),
            point_age=_point(ages[server.pk]) if server.pk in ages else "",
            chosen=tones.chosen_point(server),
            checks=checks_said(server),
        )
        for wave in report.execution.waves.all()
        for server in wave.servers.all()
    ]


def _point(age: timedelta | None) -> str:
    return "unknown" if age is None else f"{lasting(age)} old"
