"""What the page of an execution shows, made of the rows of `selectors.whole`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from drportal.adminkit.widgets import Share, Tone, age, badge, lapse, progress, span
from recovery.admin import tones
from recovery.admin.drawing import Box, drawing, in_order
from recovery.admin.wave_preflights import PreflightLine, preflight_line
from recovery.engine.options import StartOptions
from recovery.models import Execution, JobWatch, LaunchJob, ServerCheck, Wave, WaveServer
from recovery.selectors import rto_deadline
from recovery.services.check_requests import may_be_checked_again
from recovery.services.retries import can_be_retried, retriable
from recovery.services.steering import BEFORE_LAUNCH
from recovery.states import EXECUTION, JobState, ServerCheckState, ServerState, WaveState

_LATE = timedelta(seconds=15)  # beat looks every few seconds for what is due
_UNANSWERED = timedelta(seconds=60)  # four times the slowest poll

_ORDER = (
    (ServerState.READY, "ready"),
    (ServerState.LAUNCHED, "launched"),
    (tones.BEING_CHECKED, "being checked"),
    (ServerState.LAUNCHING, "launching"),
    (ServerState.FAILED, "failed"),
    (ServerState.SKIPPED, "skipped"),
    (ServerState.UNKNOWN, "unknown"),
    (ServerState.BLOCKED, "blocked"),
    (ServerState.CANCELLED, "cancelled"),
    (ServerState.LEFT_OUT, "left out"),
    (ServerState.PENDING, "waiting"),
)
_BAD = {
    ServerState.FAILED,
    ServerState.SKIPPED,
    ServerState.UNKNOWN,
    ServerState.BLOCKED,
}
_SHUT = {WaveState.PENDING, WaveState.COMPLETED, WaveState.CANCELLED, WaveState.LEFT_OUT}
_UNDER_WAY = {ServerState.PENDING, ServerState.LAUNCHING}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check of a launched server."""

    check: ServerCheck
    badge: SafeString
    tries: str
    looked: str
    passable: bool


@dataclass(frozen=True, slots=True)
class ServerLine:
    """A server in the table of its wave."""

    server: WaveServer
    badge: SafeString
    phase: str
    checks: Sequence[CheckLine]
    times: str
    facts_age: str
    optional: bool
    chosen: str


@dataclass(frozen=True, slots=True)
class JobLine:
    """A launch job in the table of its wave, and when DRS last told about it."""

    job: LaunchJob
    badge: SafeString
    answered: str
    trouble: str


@dataclass(frozen=True, slots=True)
class WaveCard:
    """A wave with its jobs and servers."""

    wave: Wave
    badge: SafeString
    label: str
    tone: Tone
    bar: SafeString
    after: str
    lasted: str
    waits: bool
    gate_opens_at_once: bool
    open: bool
    timer: str
    preflight: PreflightLine | None
    retriable: int
    recheckable: int
    skippable: bool
    extendable: bool
    jobs: Sequence[JobLine]
    servers: Sequence[ServerLine]


@dataclass(frozen=True, slots=True)
class Board:
    """All that the live part of the page shows."""

    execution: Execution
    active: bool
    goes_on: bool
    part: str
    badge: SafeString
    kind: SafeString
    lasted: str
    bar: SafeString
    graph: SafeString
    due_by: str
    late: str
    silent: Sequence[str]
    waiting: Sequence[WaveCard]
    held: Sequence[WaveCard]
    troubles: Sequence[ServerLine]
    waves: Sequence[WaveCard]


def board(execution: Execution) -> Board:
    """The board of one execution, fetched with `selectors.whole`. A query more."""
    waves = {wave.position: wave for wave in execution.waves.all()}
    watches = _watches(waves.values())
    order = in_order({position: wave.depends_on for position, wave in waves.items()})
    cards = [_card(waves[position], waves, watches) for position in order]
    servers = [server for wave in waves.values() for server in wave.servers.all()]
    return Board(
        execution=execution,
        active=execution.state in EXECUTION.active,
        goes_on=can_be_retried(execution),
        part=StartOptions.of_dict(execution.options).said(),
        badge=tones.execution_badge(execution.state),
        kind=tones.kind_badge(execution.kind),
        lasted=lapse(execution.started_at or execution.created_at, execution.finished_at),
        bar=bar(_standing(server) for server in servers),
        graph=drawing([_box(card) for card in cards]),
        due_by=_due_by(execution),
        late=_late(execution, watches.values()),
        silent=_silent(execution, watches),
        waiting=[card for card in cards if card.waits and not card.wave.gate_rule],
        held=[card for card in cards if card.preflight and card.preflight.holds],
        troubles=[line for card in cards for line in card.servers if line.server.state in _BAD],
        waves=cards,
    )


def bar(states: Any) -> SafeString:
    """The progress of servers that are in `states`."""
    counted = Counter(states)
    return progress(
        [Share(counted[state], word, tones.STANDING_TONES[state]) for state, word in _ORDER]
    )


def _standing(server: WaveServer) -> str:
    return tones.BEING_CHECKED if server.being_checked else server.state


def _watches(waves: Any) -> dict[tuple[Any, str], JobWatch]:
    live = {
        (job.account_id, job.region)
        for wave in waves
        for job in wave.jobs.all()
        if job.state == JobState.STARTED
    }
    rows = JobWatch.objects.filter(account_id__in={account for account, _ in live})
    watches = {(row.account_id, row.region): row for row in rows}
    return {place: watch for place, watch in watches.items() if place in live}


def _card(wave: Wave, waves: dict[int, Wave], watches: dict[tuple[Any, str], JobWatch]) -> WaveCard:
    state = WaveState(wave.state)
    servers = [_server_line(server) for server in wave.servers.all()]
    # A gate that is open is not waited at, and what ended well without some server is not wholly
    # good.
    look = preflight_line(wave)
    timed = wave.wait_until is not None and state in {WaveState.PENDING, WaveState.WAITING}
    lacking = state == WaveState.COMPLETED and any(row.server.state in _BAD for row in servers)
    tone, label = tones.WAVE_TONES[state], state.label
    if look is not None and look.holds:
        tone, label = look.tone, "Kept from launching"
    elif timed:
        tone, label = Tone.WAIT, "Waiting for its timer"
    elif lacking:
        tone, label = Tone.UNSURE, f"{state.label}, not all launched"
    after = ", ".join(
        f"{position} {waves[position].name}" for position in wave.depends_on if position in waves
    )
    return WaveCard(
        wave=wave,
        badge=badge(label, tone),
        label=label,
        tone=tone,
        bar=bar(_standing(line.server) for line in servers),
        after=after,
        lasted=lapse(wave.started_at, wave.finished_at),
        waits=state == WaveState.WAITING and wave.gate_opened_at is None,
        gate_opens_at_once=wave.gate_opened_at is not None and state == WaveState.WAITING,
        open=lacking or state not in _SHUT,
        timer=_timer(wave),
        preflight=look,
        retriable=len(retriable(wave)),
        recheckable=sum(may_be_checked_again(server) for server in wave.servers.all()),
        skippable=state in BEFORE_LAUNCH,
        extendable=_has_time(wave),
        jobs=[_job_line(job, watches.get((job.account_id, job.region))) for job in wave.jobs.all()],
        servers=servers,
    )


def _has_time(wave: Wave) -> bool:
    """Whether it launches, and its time is not up."""
    left = wave.deadline_at is not None and wave.deadline_at > timezone.now()
    return wave.state == WaveState.LAUNCHING and left


def _timer(wave: Wave) -> str:
    """How long a wave waits once it could start, and until when if it waits now."""
    if not wave.wait:
        return ""
    lasts = span(wave.wait.total_seconds())
    if wave.wait_until is None:
        return f"Timer: waits {lasts} once it could start"
    until = f"{wave.wait_until:%H:%M:%S} UTC"
    waits = wave.state in {WaveState.PENDING, WaveState.WAITING}
    return f"Timer: waits until {until}" if waits else f"Timer: {lasts}, until {until}"


def _server_line(server: WaveServer) -> ServerLine:
    state = ServerState(server.state)
    return ServerLine(
        server=server,
        badge=tones.standing_badge(server),
        phase=server.get_phase_display() if state in _UNDER_WAY else "",
        checks=[_check_line(check) for check in server.checks.all()],
        times=lapse(server.started_at, server.finished_at),
        facts_age=age(server.facts_at) if server.facts_at else "",
        optional=not server.critical,
        chosen=tones.chosen_point(server),
    )


def _check_line(check: ServerCheck) -> CheckLine:
    attempts = f"attempt {check.attempts} of {check.definition['attempts']}"
    return CheckLine(
        check=check,
        badge=tones.check_badge(check.state),
        tries=attempts if check.attempts else "",
        looked=age(check.looked_at) if check.looked_at else "",
        passable=check.state != ServerCheckState.PASSED,
    )


def _job_line(job: LaunchJob, watch: JobWatch | None) -> JobLine:
    if job.state != JobState.STARTED:
        return JobLine(job, tones.job_badge(job.state), "", "")
    polled = watch.polled_at if watch else None
    trouble = watch.message if watch and watch.failures else ""
    answered = age(polled, never="not yet", stale_after=_UNANSWERED)
    return JobLine(job, tones.job_badge(job.state), answered, trouble)


def _box(card: WaveCard) -> Box:
    wave = card.wave
    return Box(wave.position, wave.name, card.label, card.tone, tuple(wave.depends_on))


def _due_by(execution: Execution) -> str:
    """By when it is to have ended by its plan's RTO, and whether that was or is kept."""
    deadline = rto_deadline(execution)
    if deadline is None:
        return ""
    ended = execution.finished_at or timezone.now()
    told = f"{deadline:%Y-%m-%d %H:%M:%S} UTC"
    if ended > deadline:
        return f"{told}, missed by {span((ended - deadline).total_seconds())}"
    left = span((deadline - ended).total_seconds())
    return f"{told}, {left} {'before' if execution.finished_at else 'left'}"


def _late(execution: Execution, watches: Iterable[JobWatch]) -> str:
    """That no worker looks at an execution or its jobs though it is due, or an empty text."""
    if execution.state not in EXECUTION.active:
        return ""
    now = timezone.now()
    checks = [
        check
        for wave in execution.waves.all()
        for server in wave.servers.all()
        for check in server.checks.all()
        if check.state == ServerCheckState.WAITING
    ]
    looked_at: list[Execution | JobWatch | ServerCheck] = [execution, *watches, *checks]
    overdue = max(_overdue(row, now) for row in looked_at)
    return span(overdue.total_seconds()) if overdue > _LATE else ""


def _overdue(row: Execution | JobWatch | ServerCheck, now: datetime) -> timedelta:
    if row.due_at is None or (row.leased_until and row.leased_until > now):
        return timedelta(0)
    return now - row.due_at


def _silent(execution: Execution, watches: dict[tuple[Any, str], JobWatch]) -> list[str]:
    """Where DRS has not answered lately, and since when; of jobs that have not ended."""
    started = (
        job
        for wave in execution.waves.all()
        for job in wave.jobs.all()
        if job.state == JobState.STARTED
    )
    places = {(job.account_id, job.region): job.aws_account_id for job in started}
    found: list[str] = []
    for place, account in places.items():
        watch = watches.get(place)
        if watch and watch.failures and _is_old(watch.polled_at):
            answered = age(watch.polled_at, never="never")
            found.append(format_html("{}, {}: {}", account, place[1], answered))
    return found


def _is_old(polled: datetime | None) -> bool:
    return polled is None or timezone.now() - polled > _LATE
