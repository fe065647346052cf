"""Pages of questions, in the frame of the admin. GET only; each reading is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from audit.services import record_read, record_refusal
from drportal.access import Anybody, allowed_anywhere
from drportal.actor import Actor, Door
from drportal.adminkit.site import MenuPage, site
from drportal.adminkit.widgets import Tone, age, badge, gauge
from drportal.errors import NotFound
from protection.choices import CapacityState, RegionStatus
from protection.models import TargetAccount
from protection.permissions import AccountPermission
from protection.rules.capacity import Count
from protection.selectors import STALE_AFTER, accounts_for
from queries.accounts import account_named
from queries.capacity import (
    EXTENDED,
    INVENTORY,
    LIVE,
    AccountCapacity,
    Capacity,
    Gauge,
    Place,
    RegionCapacity,
    capacity_of,
    capacity_seen,
)

_STATES = {
    CapacityState.OK: Tone.GOOD,
    CapacityState.INFO: Tone.BUSY,
    CapacityState.WARNING: Tone.WAIT,
    CapacityState.CRITICAL: Tone.BAD,
    CapacityState.HYPER_CRITICAL: Tone.BAD,
    CapacityState.UNKNOWN: Tone.UNSURE,
}
_SOURCES = {
    INVENTORY: "in the inventory",
    LIVE: "read in the account itself",
    EXTENDED: "only what is extended from there",
}
_LIVE_STALE = timedelta(minutes=10)


def _may(user: Anybody) -> bool:
    among = TargetAccount.objects.all()
    return allowed_anywhere(user, AccountPermission.VIEW, among=among) or (
        user.is_authenticated and accounts_for(user).exists()
    )


CAPACITY = MenuPage(
    title="Capacity",
    icon="speed",
    section="Protection",
    place=32,
    name="admin-capacity",
    may=_may,
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A gauge as the page shows it."""

    label: str
    drawn: SafeString
    badge: SafeString
    limit: str


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A line of an account's card."""

    place: Place
    region_badge: SafeString
    bars: Sequence[Bar]
    counted: str
    source: str
    jobs: str
    problems: Sequence[str]


@require_safe
def capacity(request: HttpRequest) -> HttpResponse:
    """How full accounts and Regions are: all that the person may see, or the one in `account`."""
    actor = _actor(request)
    if not _may(request.user):
        detail = "There is no account that is theirs to see."
        record_refusal("admin.queries_capacity", actor=actor, code="forbidden", detail=detail)
        raise PermissionDenied
    fresh = request.GET.get("fresh") == "1"
    account = _asked_for(request, actor)
    found = (
        capacity_of(account, fresh=fresh) if account else capacity_seen(request.user, fresh=fresh)
    )
    record_read(
        "admin.read",
        actor=actor,
        subject=account,
        page="queries_capacity",
        path=request.path,
        parameters=dict(request.GET.lists()),
    )
    context = site.each_context(request) | _shown(found)
    context |= {"title": "Capacity", "content_title": "Capacity", "account": account}
    request.current_app = site.name
    return TemplateResponse(request, "queries/capacity.html", context)


def _actor(request: HttpRequest) -> Actor:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return Actor.of(request.user, door=Door.ADMIN)


def _asked_for(request: HttpRequest, actor: Actor) -> TargetAccount | None:
    name = request.GET.get("account", "").strip()
    if not name:
        return None
    try:
        return account_named(request.user, name)
    except NotFound as error:
        record_refusal("admin.queries_capacity", actor=actor, code=error.code, detail=error.detail)
        raise Http404(error.detail) from error


def _shown(found: Capacity) -> dict[str, Any]:
    return {
        "badge": state_badge(found.state, at_least=found.at_least),
        "replicating": _words(found.replicating),
        "source_servers": _words(found.source_servers),
        "missing": found.missing,
        "regions": [_region(each) for each in found.regions],
        "accounts": [_account(each) for each in found.accounts],
    }


def _account(account: AccountCapacity) -> dict[str, Any]:
    return {
        "account": account,
        "badge": state_badge(account.state, at_least=account.at_least),
        "replicating": _words(account.replicating),
        "source_servers": _words(account.source_servers),
        "has_jobs": any(place.jobs for place in account.places),
        "rows": [_row(place) for place in account.places],
    }


def _row(place: Place) -> PlaceRow:
    return PlaceRow(
        place=place,
        region_badge=_region_badge(place),
        bars=[_bar(each) for each in place.gauges],
        counted=_age(place.as_of, place.source),
        source=_SOURCES[place.source],
        jobs=age(place.jobs_as_of, never="not read") if place.jobs else "",
        problems=[
            f"{about}: {why}"
            for about, why in (
                ("Servers", place.problem),
                ("Jobs", place.jobs_problem),
                ("Quotas", place.quotas_problem),
            )
            if why
        ],
    )


def _age(at: datetime | None, source: str) -> str:
    stale_after = STALE_AFTER if source == INVENTORY else _LIVE_STALE
    return age(at, never="not counted there", stale_after=stale_after)


def _region(region: RegionCapacity) -> dict[str, Any]:
    return {
        "region": region,
        "badge": state_badge(
            region.state,
            at_least=not (region.replicating.complete and region.source_servers.complete),
        ),
        "replicating": _words(region.replicating),
        "source_servers": _words(region.source_servers),
    }


def _region_badge(place: Place) -> SafeString:
    if place.status == RegionStatus.ACTIVE:
        return badge("Answers", Tone.GOOD)
    tone = Tone.UNSURE if place.status == RegionStatus.UNKNOWN else Tone.BAD
    return badge(place.status.label, tone, hint=place.problem)


def _bar(found: Gauge) -> Bar:
    held = found.held
    share = None if held.count.value is None else held.count.value / max(held.limit, 1)
    said = f"{_words(held.count)} of {held.limit}"
    return Bar(
        label=held.measure.label,
        drawn=gauge(share, said, _STATES[held.state]),
        badge=state_badge(held.state, at_least=held.at_least),
        limit="Service Quotas" if found.quota.told else "documented default",
    )


def state_badge(state: CapacityState, *, at_least: bool = False) -> SafeString:
    """How full something is. What misses something may be worse than it looks, and says so."""
    worse = at_least and state not in {CapacityState.UNKNOWN, CapacityState.HYPER_CRITICAL}
    return badge(f"{state.label} or worse" if worse else state.label, _STATES[state])


def _words(count: Count) -> str:
    if count.value is None:
        return "unknown"
    return str(count.value) if count.complete else f"at least {count.value}"
