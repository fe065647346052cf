"""How the tag sync works: the settings, their pace, and what they would do."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from typing_extensions import override

from drportal.access import allowed
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, badge
from drportal.errors import DomainError, InvalidInput
from protection.admin.recorded import RecordedAdmin
from protection.admin.schedules import how_often
from protection.admin.tones import sync_badge
from protection.choices import SyncKind
from protection.models import TagSyncSettings
from protection.selectors import last_sync, schedule_of, seconds_between, tag_sync_settings
from protection.services import tag_effect, tag_settings
from protection.services.schedules import HOUR, TAG_SYNC

_LISTS = ("include_accounts", "exclude_accounts", "include_keys", "exclude_keys")


def _lines(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class TagSettingsForm(PortalForm):
    """The settings, one entry a line where there may be several."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    enabled = forms.BooleanField(
        label="Sent by beat", required=False, help_text="Saved so, it is run at once too."
    )
    interval_hours = forms.IntegerField(
        label="Every how many hours", min_value=1, max_value=24, required=False
    )
    dry_run = forms.BooleanField(
        label="Dry run", required=False, help_text="Runs only say what they would do."
    )
    include_accounts = _lines("Only these accounts", "That manage the servers. None means all.")
    exclude_accounts = _lines("Not these accounts", "")
    include_keys = _lines("Only tags with these keys", "Patterns with * and ?. None means all.")
    exclude_keys = _lines("Not tags with these keys", "A tag of ours that is left out is removed.")
    key_mapping = _lines("Other keys in DRS", "key in EC2=key in DRS")

    def settings(self) -> dict[str, Any]:
        """What was typed, by the names of the settings. Raises InvalidInput."""
        typed = {name: str(self[name].value() or "") for name in (*_LISTS, "key_mapping")}
        mapping = {}
        for line in _entries(typed["key_mapping"]):
            key, equals, name = line.partition("=")
            if not equals:
                message = f"This is not key=key: {line}"
                raise InvalidInput.field("key_mapping", "invalid", message)
            mapping[key.strip()] = name.strip()
        return {
            **{name: _entries(typed[name]) for name in _LISTS},
            "key_mapping": mapping,
            "dry_run": bool(self["dry_run"].value()),
        }


def _entries(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


@admin.register(TagSyncSettings, site=site)
class TagSyncSettingsAdmin(RecordedAdmin):
    """One page: there is one row, and none before somebody saves it."""

    icon, section, place = "sell", "Protection", 35
    menu = "Tag sync"
    can = frozenset({"change", "history"})
    page_template = "protection/tag_settings.html"
    form_template = "protection/tag_settings_form.html"

    @override
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return allowed(request.user, self.permission("view"))

    @override
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return allowed(request.user, self.permission("change"))

    @override
    def found(self, request: HttpRequest, object_id: str, action: str | None = None) -> Any:
        settings = tag_sync_settings()
        if object_id != str(settings.pk) or not self.has_view_permission(request):
            raise Http404("There are no such settings.")
        if action is not None and not getattr(self, f"has_{action}_permission")(request, settings):
            raise PermissionDenied
        return settings

    @override
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.object_view(request, str(tag_sync_settings().pk))

    @override
    def page_context(self, request: HttpRequest, obj: TagSyncSettings) -> dict[str, Any]:
        schedule, last = schedule_of(TAG_SYNC), last_sync(SyncKind.TAGS)
        return {
            "schedule": _sent(schedule),
            "effect": tag_effect.expected(obj),
            "last": last,
            "last_badge": sync_badge(last) if last else badge("Never ran", Tone.UNSURE),
            "last_link": reverse("admin:protection_syncrun_change", args=[last.pk]) if last else "",
        }

    def form_for(self, request: HttpRequest, obj: TagSyncSettings) -> TagSettingsForm:
        if request.method == "POST" and "_again" in request.POST:
            return TagSettingsForm.again(request.POST)
        data = request.POST if request.method == "POST" else None
        return TagSettingsForm(data, initial=_initial(obj))

    @override
    def form_context(self, request: HttpRequest, form: Any, obj: Any) -> dict[str, Any]:
        try:
            wanted = form.settings()
            tag_settings.must_be_valid(**wanted)
        except DomainError as error:
            return {"problem": error.detail}
        return {"effect": tag_effect.expected(TagSyncSettings(**wanted))}

    @override
    def save(
        self,
        request: HttpRequest,
        form: TagSettingsForm,
        obj: Any,  # there is one row
    ) -> TagSyncSettings:
        said = form.cleaned_data
        return tag_settings.save(
            version=said["version"],
            enabled=said["enabled"],
            interval_hours=said["interval_hours"],
            actor=self.actor(request),
            **form.settings(),
        ).settings


def _initial(settings: TagSyncSettings) -> dict[str, Any]:
    schedule = schedule_of(TAG_SYNC)
    seconds = seconds_between(schedule) or 0
    mapping = [f"{key}={name}" for key, name in sorted(settings.key_mapping.items())]
    return {
        **{name: "\n".join(getattr(settings, name)) for name in _LISTS},
        "key_mapping": "\n".join(mapping),
        "dry_run": settings.dry_run,
        "version": settings.version,
        "enabled": schedule is not None and schedule.enabled,
        "interval_hours": seconds // HOUR or None,
    }


def _sent(schedule: Any) -> str:
    if schedule is None:
        return badge("No schedule", Tone.UNSURE)
    return how_often(schedule) if schedule.enabled else badge("Switched off", Tone.WAIT)
