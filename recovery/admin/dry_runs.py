"""A dry run in words and colours: what a start would do, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Tone, badge, lasting
from recovery.admin.timeline import Bar, timeline
from recovery.engine.dry_run import Moment
from recovery.services.dry_runs import Against, Forecast, JobForecast, WaveForecast

_AGAINST = {
    Against.NO_TARGET: ("No target", Tone.PLAIN),
    Against.MET: ("Met", Tone.GOOD),
    Against.MISSED: ("Missed", Tone.BAD),
    Against.UNKNOWN: ("Unknown", Tone.UNSURE),
}


@dataclass(frozen=True, slots=True)
class JobLine:
    """A launch job in the table."""

    job: JobForecast
    where: str
    begin: str
    end: str
    slow_end: str
    waits: str
    rests_on: str


@dataclass(frozen=True, slots=True)
class WaveLine:
    """A wave with its jobs, and everything that it would wait for."""

    wave: WaveForecast
    waits: Sequence[str]
    begin: str
    end: str
    slow_end: str
    warning: str
    jobs: Sequence[JobLine]


@dataclass(frozen=True, slots=True)
class Total:
    """When it would be over, by lengths of one kind."""

    what: str
    reached: str
    end: str
    badge: SafeString


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page of a dry run shows."""

    forecast: Forecast
    rto: str
    totals: Sequence[Total]
    waves: Sequence[WaveLine]
    drawing: SafeString


def page(found: Forecast) -> Page:
    """A dry run as a page shows it. No query."""
    return Page(
        forecast=found,
        rto="none" if found.rto is None else lasting(found.rto),
        totals=[
            _total("As half of the launches so far", found.reached, found.end, found.against),
            _total("As nine of ten so far", found.slow_reached, found.slow_end, found.slow_against),
        ],
        waves=[_wave(wave) for wave in found.waves],
        drawing=timeline([bar for wave in found.waves for bar in _bars(wave)], target=found.rto),
    )


def told(moment: Moment | None) -> str:
    """A time since the start; what is not known is not called nothing."""
    if moment is None:
        return ""
    if moment.sure:
        return f"+{lasting(moment.at)}"
    return f"at least +{lasting(moment.at)}" if moment.at else "unknown"


def _total(what: str, reached: Moment | None, end: Moment, against: Against) -> Total:
    back = told(reached) if reached else "no critical server"
    return Total(what, back, told(end), badge(*_AGAINST[against]))


def _wave(wave: WaveForecast) -> WaveLine:
    return WaveLine(
        wave=wave,
        waits=list(_waits(wave)),
        begin=_begin(wave.begin),
        end=told(wave.end),
        slow_end=told(wave.slow_end),
        warning=f"Longer than its time limit of {lasting(wave.time_limit)}" if wave.late else "",
        jobs=[_job(job) for job in wave.jobs],
    )


def _begin(moment: Moment | None) -> str:
    return "at once" if moment and moment.sure and not moment.at else told(moment)


def _waits(wave: WaveForecast) -> list[str]:
    found = [f"wave {position}" for position in wave.needs]
    found += ["a person at its gate, for as long as that takes"] if wave.gate else []
    found += [f"its timer, {lasting(wave.wait)}"] if wave.wait else []
    return found


def _job(job: JobForecast) -> JobLine:
    bases = [f"{each.runs} {_launches(each.runs)} of {each.like}" for each in job.rests_on]
    bases += [f"nothing, for {job.unknown} of its servers"] if job.unknown else []
    return JobLine(
        job=job,
        where=f"{job.account_name} ({job.place[0]}), {job.place[1]}",
        begin=_begin(job.begin),
        end=told(job.end),
        slow_end=told(job.slow_end),
        waits="; ".join(job.waits),
        rests_on="; ".join(bases),
    )


def _launches(runs: int) -> str:
    return "launch" if runs == 1 else "launches"


def _bars(wave: WaveForecast) -> list[Bar]:
    if wave.begin is None or wave.end is None or wave.slow_end is None:
        return []
    known = wave.end.sure and wave.slow_end.sure
    said = f"from {_begin(wave.begin)} to {told(wave.end)}, or {told(wave.slow_end)}"
    tone = Tone.BAD if wave.late else Tone.BUSY if known else Tone.UNSURE
    return [
        Bar(
            name=f"{wave.position} {wave.name}",
            said=said,
            begin=wave.begin.at,
            end=max(wave.end.at, wave.begin.at),
            slow_end=max(wave.slow_end.at, wave.end.at, timedelta(0)),
            open=not known,
            tone=tone,
        )
    ]
