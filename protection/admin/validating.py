"""What the pages of accounts have in common: validating them, and the template of their role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from drportal.adminkit import confirm
from drportal.adminkit.widgets import Tone, age, badge, lapse
from drportal.errors import DomainError
from protection.admin.recorded import RecordedAdmin
from protection.choices import CheckState, ValidationState
from protection.models import AccountValidation
from protection.services import role_templates, validation

_REFRESH_SECONDS = 2
_TONES = {
    ValidationState.RUNNING: Tone.BUSY,
    ValidationState.PASSED: Tone.GOOD,
    ValidationState.FAILED: Tone.BAD,
    ValidationState.UNKNOWN: Tone.UNSURE,
    ValidationState.ABANDONED: Tone.BAD,
}
_CHECK_TONES = {
    CheckState.PASSED: Tone.GOOD,
    CheckState.FAILED: Tone.BAD,
    CheckState.UNKNOWN: Tone.UNSURE,
}
_NAMES = {
    "role": "Entering the account",
    "regions": "DRS in use",
    "drs": "DRS",
    "quotas": "Service quotas",
    "permissions": "Permissions",
}
_WORST_FIRST = (CheckState.FAILED, CheckState.UNKNOWN, CheckState.PASSED)


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check in the table of a validation."""

    name: str
    region: str
    badge: SafeString
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A validation, as the page of its account shows it."""

    validation: AccountValidation
    active: bool
    badge: SafeString
    asked: str
    took: str
    checks: Sequence[CheckLine]


def shown(found: AccountValidation | None) -> Shown | None:
    """A validation, what did not pass first. None if there is none."""
    if found is None:
        return None
    state = ValidationState(found.state)
    ordered = sorted(
        found.checks,
        key=lambda each: (_WORST_FIRST.index(each["state"]), each["region"], each["name"]),
    )
    return Shown(
        validation=found,
        active=state == ValidationState.RUNNING,
        badge=badge(state.label, _TONES[state]),
        asked=age(found.started_at),
        took=lapse(found.started_at, found.finished_at),
        checks=[_line(each) for each in ordered],
    )


def validated_in_short(at: datetime | None, found: AccountValidation | None) -> str:
    """When an account was last found good, and how its latest validation stands if not so."""
    if found is None or found.state == ValidationState.PASSED:
        return age(at)
    state = ValidationState(found.state)
    return format_html("{} {}", badge(state.label, _TONES[state]), age(at))


def _line(check: dict[str, Any]) -> CheckLine:
    state = CheckState(check["state"])
    return CheckLine(
        name=_NAMES.get(check["name"], check["name"]),
        region=check["region"],
        badge=badge(state.label, _CHECK_TONES[state]),
        detail=check["detail"],
        remedy=check["remedy"],
    )


class ValidatingAdmin(RecordedAdmin):
    """A page of an account that can be validated and whose role has a template."""

    @override
    def more_urls(self) -> list[URLPattern]:
        return [
            *super().more_urls(),
            self.url("<str:object_id>/validate/", self.validate_view, "validate"),
            self.url("<str:object_id>/live/", self.live_view, "live", repeats=True),
            self.url("<str:object_id>/role-template/", self.template_view, "role_template"),
        ]

    @override
    def page_buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        offered = list(super().page_buttons(request, obj))
        if not self.has_change_permission(request, obj):
            return offered
        offered.append({"label": "Validate", "link": self.link("validate", obj), "tone": "dr-main"})
        if obj.role_arn:
            template = {"label": "Download the role's template"}
            offered.append(template | {"link": self.link("role_template", obj)})
        return offered

    @override
    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {
            **super().page_context(request, obj),
            "latest": shown(validation.latest(obj)),
            "validated": age(obj.last_validated_at),
            "live_link": self.link("live", obj),
            "refresh_seconds": _REFRESH_SECONDS,
        }

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The validation, for the browser to put in place of what it showed."""
        account = self.found(request, object_id)
        context = {
            "latest": shown(validation.latest(account)),
            "validated": age(account.last_validated_at),
        }
        return render(request, "protection/validation.html", context)

    def validate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then ask a worker for a validation."""
        account = self.found(request, object_id, "change")

        def act(_: dict[str, Any]) -> HttpResponse:
            validation.ask(account, actor=self.actor(request))
            self.message_user(request, "A worker was asked to validate it.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", account))

        question = confirm.Question(
            title=f"Validate {account}",
            text="A worker enters the account and looks whether DRS, its quotas and the role's "
            "permissions are as a recovery needs them. Nothing is changed there.",
            verb="Validate",
            danger=False,
        )
        return confirm.confirm(self, request, account, question, act)

    def template_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The role's template, as a download. It holds the external id."""
        account = self.found(request, object_id, "change")
        try:
            text = role_templates.role_template(account, actor=self.actor(request))
        except DomainError as error:
            self.refused(request, code=error.code, detail=error.detail, obj=account)
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(self.link("change", account))
        answer = HttpResponse(text, content_type="application/json")
        name = role_templates.file_name(account)
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer
