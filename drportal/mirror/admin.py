"""The outbox, to be read: what DynamoDB is behind on, and why."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from drportal.adminkit.base import PortalAdmin
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge, span
from drportal.mirror.models import OutboxEntry
from drportal.mirror.selectors import LATE, Standing, not_given_back, standing

_COMPARED_EVERY = timedelta(days=7)


@admin.register(OutboxEntry, site=site)
class OutboxEntryAdmin(PortalAdmin):
    """What waits to be sent to DynamoDB."""

    icon, section, place = "outbox", "Records", 90
    page_template = "mirror/entry.html"
    list_before_template = "mirror/standing.html"
    list_display = ("object_id", "kind", "waiting", "attempts", "state", "last_error")
    list_filter = ("kind",)
    search_fields = ("object_id", "last_error")
    ordering = ("behind_since", "id")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"mirror": _standing(standing())}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return answer

    @admin.display(description="Behind since", ordering="behind_since")
    def waiting(self, entry: OutboxEntry) -> str:
        return age(entry.behind_since)

    @admin.display(description="State")
    def state(self, entry: OutboxEntry) -> str:
        return _state(entry)

    def page_context(
        self,
        request: HttpRequest,  # noqa: ARG002  # an override takes it
        obj: OutboxEntry,
    ) -> dict[str, Any]:
        return {"state": _state(obj), "waiting": age(obj.behind_since)}


def _standing(now: Standing) -> dict[str, Any]:
    """How the mirror does as a whole, in words and colours."""
    return {
        "now": now,
        "badge": _overall(now),
        "oldest": span(now.lag) if now.behind else "none",
        "held_by": _held_by(now),
        "verified": age(now.verified_at, stale_after=_COMPARED_EVERY),
        "lacking": not_given_back(),
    }


def _overall(now: Standing) -> str:
    if now.holder:
        return badge("Another portal's", Tone.BAD)
    if now.lag > LATE.total_seconds():
        return badge("Late", Tone.BAD)
    if now.failing:
        return badge("Failing", Tone.BAD)
    if now.differences:
        return badge("Differs", Tone.BAD)
    if now.behind:
        return badge("Catching up", Tone.BUSY)
    return badge("Up to date", Tone.GOOD)


def _held_by(now: Standing) -> str:
    if now.holder:
        heard = now.holder_heard_at or "an unknown time"
        return f"portal {now.holder}, last heard of at {heard}: nothing is sent"
    if now.held_at is None:
        return "unknown: this portal has not sent anything yet"
    return f"this portal, {now.identity}"


def _state(entry: OutboxEntry) -> str:
    if entry.leased_until and entry.leased_until > timezone.now():
        return badge("Being sent", Tone.BUSY)
    if entry.attempts:
        return badge("Put off", Tone.BAD, hint=f"next try {entry.due_at:%Y-%m-%d %H:%M:%S} UTC")
    return badge("Waiting", Tone.WAIT)
