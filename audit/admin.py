"""The audit record, to be read. Nothing here changes anything."""

import json
from typing import Any

from django.contrib import admin
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.models import AuditRecord, Outcome
from audit.selectors import records_for
from drportal.access import Anybody
from drportal.adminkit.base import PortalAdmin
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, badge

_TONES = {Outcome.SUCCEEDED: Tone.GOOD, Outcome.REFUSED: Tone.WAIT, Outcome.FAILED: Tone.BAD}


@admin.register(AuditRecord, site=site)
class AuditRecordAdmin(PortalAdmin):
    """What was done, by whom."""

    icon, section, place = "receipt_long", "Records", 80
    page_template = "audit/record.html"
    list_display = (
        "when",
        "event",
        "outcome_shown",
        "actor_name",
        "door",
        "subject_kind",
        "subject_label",
        "source_address",
    )
    list_display_links = ("when",)
    list_filter = ("outcome", "door", "actor_kind", "at")
    search_fields = ("event", "actor_name", "subject_label", "subject_id", "=correlation_id")
    search_help_text = "Event, person, subject or correlation id"
    ordering = ("-id",)

    def visible_to(self, user: Anybody) -> QuerySet[AuditRecord]:
        return records_for(user)

    @admin.display(description="When (UTC)", ordering="id")
    def when(self, record: AuditRecord) -> str:
        return f"{record.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="Outcome", ordering="outcome")
    def outcome_shown(self, record: AuditRecord) -> str:
        return shown(record)

    def page_context(
        self,
        request: HttpRequest,  # noqa: ARG002  # an override takes it
        obj: AuditRecord,
    ) -> dict[str, Any]:
        facts = [(name, _text(value)) for name, value in obj.facts.items()]
        return {"title": obj.event, "outcome": shown(obj), "facts": facts}


def shown(record: AuditRecord) -> str:
    """How it ended, as a badge."""
    outcome = Outcome(record.outcome)
    return badge(str(outcome.label), _TONES[outcome])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
