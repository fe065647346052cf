"""What notices say. Always whether it is a drill or a recovery, and never a secret."""

import secrets
from datetime import UTC, datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from drportal.masking import masked_text
from drportal.notify.message import Message, Urgency
from recovery.models import Notice
from recovery.services.approval_links import Token
from recovery.services.notices import KINDS, TEST, Sort
from recovery.states import ExecutionState, Kind, WaveState

_TEST_SORT = Sort("A test", "test message")
_OUTCOMES = {state.value: str(state.label).lower() for state in (*WaveState, *ExecutionState)}
_URGENCY = {
    ExecutionState.COMPLETED: Urgency.GOOD,
    ExecutionState.CANCELLED: Urgency.WARNING,
}
_FIRST = {
    Kind.DRILL: "This is about a DRILL.",
    Kind.RECOVERY: "This is about a REAL RECOVERY.",
}


def message_of(notice: Notice, *, key: str, token: Token | None = None) -> Message:
    """The notice as it goes out. `key` is the delivery's, `token` lets its recipient decide. Three
    queries at most.
    """
    sort = _sort(notice)
    # The link goes in after the masking, which would take its token for the secret that it is.
    place = secrets.token_hex(8)
    body = masked_text(_body(notice, sort, decide=(place, token) if token else None))
    return Message(
        key=key,
        subject=masked_text(f"[{notice.about or 'DR portal'}] {_title(notice, sort)}"),
        body=body.replace(place, _decide_link(token)) if token else body,
        urgency=_urgency(notice, sort),
    )


def _sort(notice: Notice) -> Sort:
    if notice.kind == TEST:
        return _TEST_SORT
    # A kind that a newer release wrote is told all the same.
    return KINDS.get(notice.kind) or Sort(notice.kind, notice.kind.replace("_", " ").lower())


def _title(notice: Notice, sort: Sort) -> str:
    outcome = _OUTCOMES.get(notice.outcome, notice.outcome)
    title = sort.title.format(wave=notice.wave or "", outcome=outcome)
    again = f"reminder {notice.number}: " if notice.number else ""
    name = f"{notice.plan_name}: " if notice.plan_name else ""
    return f"{name}{again}{title}"


def _decide_link(token: Token) -> str:
    return f"{settings.PUBLIC_URL}{reverse('approval-link')}?token={token.text}"


def _body(notice: Notice, sort: Sort, *, decide: tuple[str, Token] | None) -> str:
    wave = notice.wave
    return render_to_string(
        "notices/notice.txt",
        {
            "notice": notice,
            "first": _first(notice),
            "title": _title(notice, sort),
            "happened": notice.event.message if notice.event else notice.message,
            "at": _utc(notice.at),
            "execution": notice.execution,
            "wave": wave,
            "waves": notice.execution.waves.count() if notice.execution and wave else 0,
            "waiting_since": _utc(wave.gate_reached_at) if wave and notice.number else "",
            "asks": sort.asks,
            "link": _link(notice),
            "decide": decide[0] if decide else "",
            "decide_until": _utc(decide[1].expires_at) if decide else "",
        },
    )


def _first(notice: Notice) -> str:
    if notice.kind == TEST:
        return "This is a TEST of a channel: nothing has happened."
    return _FIRST[Kind(notice.about)] if notice.about else "This is about a recovery plan."


def _urgency(notice: Notice, sort: Sort) -> Urgency:
    if notice.kind == "ENDED":
        return _URGENCY.get(ExecutionState(notice.outcome), Urgency.BAD)
    return sort.urgency


def _link(notice: Notice) -> str:
    """Where to look. Only somebody who logs in there, and may see it, sees anything."""
    if not settings.PUBLIC_URL:
        return ""
    if notice.execution_id:
        path = reverse("admin:recovery_execution_change", args=[notice.execution_id])
    elif notice.plan_id:
        path = reverse("admin:recovery_recoveryplan_change", args=[notice.plan_id])
    else:
        path = reverse("admin:index")
    return f"{settings.PUBLIC_URL}{path}"


def _utc(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""
