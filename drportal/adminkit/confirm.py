"""The page that asks before something dangerous is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from drportal.adminkit.forms import PortalForm
from drportal.errors import DomainError

if TYPE_CHECKING:
    from drportal.adminkit.base import PortalAdmin

_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. With `typed`, the person must type exactly that; with `reason`, a text field
    of that name is offered. `template` may show more, from `context`.
    """

    title: str
    text: str
    verb: str
    danger: bool = True
    typed: str = ""
    typed_label: str = "Type the name to confirm"
    reason: str = ""
    template: str = "admin/portal/confirm.html"
    context: Mapping[str, Any] = field(default_factory=dict)


class ConfirmForm(PortalForm):
    """A reason, and the name typed again, as far as the question wants them."""

    reason = forms.CharField(
        required=False,
        max_length=_LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    typed = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    def __init__(self, question: Question, *args: Any, **kwargs: Any) -> None:
        self._wanted = question.typed
        super().__init__(*args, **kwargs)
        if question.reason:
            self.fields["reason"].label = question.reason
        else:
            del self.fields["reason"]
        if question.typed:
            self.fields["typed"].label = f"{question.typed_label}: {question.typed}"
            self.fields["typed"].required = True
        else:
            del self.fields["typed"]

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if typed.strip() != self._wanted:
            raise forms.ValidationError(f"This is not {self._wanted}.")
        return typed


def confirm(
    page: "PortalAdmin",
    request: HttpRequest,
    obj: Model | None,
    question: Question,
    act: Callable[[dict[str, Any]], HttpResponse],
) -> HttpResponse:
    """Ask; once confirmed by POST, call `act` with `reason` and `typed` and return its answer.

    What a service refuses is shown on this page; then nothing was written.
    """
    form = ConfirmForm(question, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return act(form.cleaned_data)
        except DomainError as error:
            page.refused(request, code=error.code, detail=error.detail, obj=obj)
            form.refuse(error)
    return page.render(
        request,
        question.template,
        obj=obj,
        title=question.title,
        question=question,
        form=form,
        **question.context,
    )
