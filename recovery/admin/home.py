"""The operators' first page: what runs, what waits for a person, what does not answer."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from drportal.access import Anybody, allowed
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Share, Tone, age, lapse, progress
from protection.choices import Readiness, RegionStatus, SyncKind, SyncState
from protection.models import AccountRegion
from protection.permissions import SyncPermission
from protection.selectors import (
    STALE_AFTER,
    accounts_for,
    last_sync,
    readiness_of,
    regions_by_key,
    servers_for,
)
from recovery.admin import tones
from recovery.admin.drilling import overdue_for
from recovery.admin.executions import server_progress
from recovery.models import Execution, Wave
from recovery.permissions import PlanPermission
from recovery.selectors import executions_for, plans_for, with_counts
from recovery.states import EXECUTION, WaveState

_MOST = 20
_REFRESH_SECONDS = 10

# These say that DRS is not used there; an account that was never listed there misses nothing.
_NOT_IN_USE = (
    RegionStatus.NOT_INITIALIZED,
    RegionStatus.REGION_NOT_OPTED_IN,
    RegionStatus.REGION_NOT_ENABLED,
)
_SYNC = {
    SyncState.COMPLETED: Tone.GOOD,
    SyncState.RUNNING: Tone.BUSY,
    SyncState.PARTIAL: Tone.UNSURE,
}
_READINESS = (
    (Readiness.READY, "ready", Tone.GOOD),
    (Readiness.LAGGING, "ready, but behind", Tone.WAIT),
    (Readiness.NOT_READY, "not ready", Tone.BAD),
    (Readiness.UNKNOWN, "unknown", Tone.UNSURE),
)


@dataclass(frozen=True, slots=True)
class Line:
    """An execution on the first page."""

    execution: Execution
    kind: SafeString
    badge: SafeString
    bar: str
    took: str


def home(request: HttpRequest) -> HttpResponse:
    """The first page. A fixed number of queries, however much there is to show."""
    context = site.each_context(request) | _shown_to(request.user)
    context |= {"title": "Overview", "content_title": "Overview"}
    context |= {"refresh_seconds": _REFRESH_SECONDS}
    request.current_app = site.name
    return TemplateResponse(request, "recovery/home.html", context)


def home_live(request: HttpRequest) -> HttpResponse:
    """The part of the first page that changes, for the browser to put in place of the old one."""
    return render(request, "recovery/home_live.html", _shown_to(request.user))


def _shown_to(user: Anybody) -> dict[str, Any]:
    shown: Any = executions_for(user)
    return {
        "running": _lines(shown.active()),
        "ended": _lines(shown.exclude(state__in=EXECUTION.active), most=5),
        "gates": _gates(user),
        "overdue": overdue_for(user),
        "silent": _silent(user),
        "never_asked": AccountRegion.objects.filter(
            account__in=accounts_for(user).order_by(), account__active=True, checked_at=None
        ).count(),
        "sync": _sync(user),
        "readiness": _readiness(user),
    }


def _lines(executions: Any, *, most: int = _MOST) -> list[Line]:
    return [
        Line(
            execution=execution,
            kind=tones.kind_badge(execution.kind),
            badge=tones.execution_badge(execution.state),
            bar=server_progress(execution),
            took=lapse(execution.started_at or execution.created_at, execution.finished_at),
        )
        for execution in with_counts(executions).order_by("-created_at", "id")[:most]
    ]


def _gates(user: Anybody) -> list[dict[str, Any]]:
    """The waves that wait at a gate, and whether it is for this person to open it."""
    shown: Any = executions_for(user)
    waves = Wave.objects.filter(
        execution__in=shown.active().order_by(),
        state=WaveState.WAITING,
        gate_opened_at=None,
    ).select_related("execution")
    steered = set(plans_for(user, PlanPermission.STEER).values_list("pk", flat=True))
    everything = allowed(user, PlanPermission.STEER)
    return [
        {
            "wave": wave,
            "execution": wave.execution,
            "kind": tones.kind_badge(wave.execution.kind),
            "since": age(wave.gate_reached_at, never="an unknown time"),
            "named": bool(wave.gate_rule),
            "may_open": everything or wave.execution.plan_id in steered,
        }
        for wave in waves.order_by("gate_reached_at", "id")[:_MOST]
    ]


def _silent(user: Anybody) -> list[dict[str, Any]]:
    """Accounts and Regions that should answer and did not when they were last asked."""
    failing = Q(status__in=_NOT_IN_USE, listed_at__isnull=False) | ~Q(
        status__in=(*_NOT_IN_USE, RegionStatus.ACTIVE, RegionStatus.UNKNOWN)
    )
    rows = AccountRegion.objects.filter(
        failing, account__in=accounts_for(user).order_by(), account__active=True
    ).select_related("account")
    return [
        {"row": row, "listed": age(row.listed_at, stale_after=STALE_AFTER)}
        for row in rows.order_by("account__name", "region")[: _MOST * 2]
    ]


def _sync(user: Anybody) -> dict[str, Any] | None:
    """The last inventory sync, None for people who may not see syncs."""
    if not allowed(user, SyncPermission.VIEW):
        return None
    run = last_sync(SyncKind.INVENTORY)
    if run is None:
        return {"run": None}
    tone = _SYNC.get(SyncState(run.state), Tone.BAD)
    begun = age(run.started_at, stale_after=STALE_AFTER)
    return {"run": run, "tone": tone, "begun": begun}


def _readiness(user: Anybody) -> dict[str, Any]:
    regions = regions_by_key()
    servers = servers_for(user).only(
        "account_id",
        "region",
        "replication_state",
        "first_synced",
        "staging_status",
        "staging_error",
        "gone_at",
    )
    counted = Counter(
        readiness_of(server, regions.get((server.account_id, server.region))).readiness
        for server in servers.order_by()
    )
    shares = [Share(counted[value], word, tone) for value, word, tone in _READINESS]
    return {"total": counted.total(), "bar": progress(shares), "shares": shares}
