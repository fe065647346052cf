"""The outbox, to be read: what DynamoDB is behind on, and why."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from drportal.adminkit.base import PortalAdmin
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from drportal.mirror.models import OutboxEntry


@admin.register(OutboxEntry, site=site)
class OutboxEntryAdmin(PortalAdmin):
    """What waits to be sent to DynamoDB."""

    icon, section, place = "outbox", "Records", 90
    page_template = "mirror/entry.html"
    list_display = ("object_id", "kind", "waiting", "attempts", "state", "last_error")
    list_filter = ("kind",)
    search_fields = ("object_id", "last_error")
    ordering = ("behind_since", "id")

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


def _state(entry: OutboxEntry) -> str:
    if entry.leased_until and entry.leased_until > timezone.now():
        return badge("Being sent", Tone.BUSY)
    if entry.attempts:
        return badge("Put off", Tone.BAD, hint=f"next try {entry.due_at:%Y-%m-%d %H:%M:%S} UTC")
    return badge("Waiting", Tone.WAIT)
