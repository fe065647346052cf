"""Clean-ups of drills by themselves, on the page of an execution: choose, put off, veto."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.safestring import SafeString

from drportal.adminkit import confirm
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.widgets import Tone, badge
from drportal.errors import DomainError
from protection.admin.recorded import RecordedAdmin
from recovery.admin import terminations
from recovery.models import CleanUp, Execution
from recovery.models.clean_ups import CLEAN_UP, CleanUpState
from recovery.services import clean_ups
from recovery.states import Kind

_TONES = {
    CleanUpState.PLANNED: Tone.WAIT,
    CleanUpState.STARTED: Tone.GOOD,
    CleanUpState.VETOED: Tone.PLAIN,
    CleanUpState.OVER: Tone.PLAIN,
    CleanUpState.GIVEN_UP: Tone.BAD,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """What the page says of it. `may_choose` and `may_steer` say what the person is offered."""

    found: CleanUp | None
    badge: SafeString | None
    due_at: datetime | None
    starts_at: datetime | None
    may_choose: bool
    may_steer: bool


class HoursForm(PortalForm):
    """After how many hours, and where it is put off, why."""

    hours = forms.IntegerField(min_value=1, max_value=clean_ups.MOST_HOURS, initial=8)
    reason = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


def panel(request: HttpRequest, execution: Execution) -> Panel | None:
    """The part of an execution's page about it; None for a recovery. One query, and permissions."""
    if execution.kind != Kind.DRILL:
        return None
    found = clean_ups.of(execution)
    planned = found is not None and found.state == CleanUpState.PLANNED
    open_ = found is None or CLEAN_UP.allows(found.state, CleanUpState.PLANNED)
    may = terminations.may_terminate(request, execution)
    if found is None:
        return Panel(None, None, None, None, may_choose=may, may_steer=False)
    state = CleanUpState(found.state)
    return Panel(
        found=found,
        badge=badge(state.label, _TONES[state], hint=found.message),
        due_at=clean_ups.due_at(found),
        starts_at=clean_ups.starts_at(found),
        may_choose=may and (open_ or planned),
        may_steer=may and planned,
    )


class CleanUpPages(RecordedAdmin):
    """Pages of an execution for those who may clean up after it."""

    def clean_up_urls(self) -> list[URLPattern]:
        return [
            self.url("<str:object_id>/clean-up/", self.choose_view, "clean_up"),
            self.url("<str:object_id>/clean-up/put-off/", self.put_off_view, "put_off"),
            self.url("<str:object_id>/clean-up/veto/", self.veto_view, "veto"),
        ]

    def choose_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask after how many hours, and choose that."""
        execution = self.found(request, object_id, "terminate")
        question = confirm.Question(
            title=f"Clean up by itself after the {execution}",
            text="So many hours after its end, what it launched is terminated for good, with its "
            "disks. People are told before, and can veto it.",
            verb="Choose",
        )
        return self._hours(request, execution, question, clean_ups.choose, reason=False)

    def put_off_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask by how many hours and why, and put it off."""
        execution = self.found(request, object_id, "terminate")
        question = confirm.Question(
            title=f"Put off the clean-up of the {execution}",
            text="It is cleaned up so many hours later. People are told again before.",
            verb="Put it off",
            danger=False,
        )
        return self._hours(request, execution, question, clean_ups.put_off, reason=True)

    def veto_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and let what was launched stay."""
        execution = self.found(request, object_id, "terminate")

        def act(said: dict[str, Any]) -> HttpResponse:
            clean_ups.veto(execution, reason=said["reason"], actor=self.actor(request))
            self.message_user(request, "The clean-up was vetoed.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", execution))

        question = confirm.Question(
            title=f"Veto the clean-up of the {execution}",
            text="What it launched stays, and costs, until somebody terminates it.",
            verb="Veto",
            reason="Reason",
        )
        return confirm.confirm(self, request, execution, question, act)

    def _hours(
        self,
        request: HttpRequest,
        execution: Execution,
        question: confirm.Question,
        service: Any,
        *,
        reason: bool,
    ) -> HttpResponse:
        form = HoursForm(request.POST if request.method == "POST" else None)
        if not reason:
            del form.fields["reason"]
        if request.method == "POST" and form.is_valid():
            try:
                service(execution, **form.cleaned_data, actor=self.actor(request))
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=execution)
                form.refuse(error)
            else:
                self.message_user(request, "Noted.", messages.SUCCESS)
                return HttpResponseRedirect(self.link("change", execution))
        return self.render(
            request,
            question.template,
            obj=execution,
            title=question.title,
            question=question,
            form=form,
        )
