"""The checks after launch on the form of a plan: a form for each, and some to spare."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from drportal.adminkit.forms import PortalForm
from recovery.choices import ServerCheckKind
from recovery.engine.checks import COMMON, LONGEST_NAME, LONGEST_TEXT, MOST_CHECKS, OWN, Check

Typed = Mapping[str, Any]

_SPARE = 2
_DEFAULTS = {
    name: field.default for members in (COMMON, *OWN.values()) for name, field in members.items()
}


def _whole(label: str, most: int, **more: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=most, **more)


class CheckForm(PortalForm):
    """One check. Its rules are the service's; of another kind's fields nothing counts."""

    name = forms.CharField(label="Name of the check", required=False, max_length=LONGEST_NAME)
    kind = forms.ChoiceField(
        label="Kind",
        required=False,
        choices=[("", "none"), *ServerCheckKind.choices],
        help_text="With no kind and no name there is no check.",
    )
    required = forms.BooleanField(label="Required: who fails it has failed", required=False)
    critical_only = forms.BooleanField(label="Critical servers only", required=False)
    time_limit_seconds = _whole("Time limit (seconds)", 1_000_000)
    attempts = _whole("Attempts", 1_000_000)
    interval_seconds = _whole("Seconds between attempts", 1_000_000)
    port = _whole("Port (TCP, HTTP)", 65_535)
    scheme = forms.ChoiceField(
        label="Scheme (HTTP)", required=False, choices=[("http", "http"), ("https", "https")]
    )
    path = forms.CharField(label="Path (HTTP)", required=False, max_length=LONGEST_TEXT)
    status_from = _whole("Status from (HTTP)", 999)
    status_to = _whole("Status to (HTTP)", 999)
    contains = forms.CharField(
        label="Text in the answer (HTTP)", required=False, max_length=LONGEST_TEXT
    )
    host_name = forms.CharField(
        label="Host name to send (HTTP)",
        required=False,
        max_length=253,
        help_text="Also the name on the certificate. The server itself is asked, whatever it says.",
    )
    verify_tls = forms.BooleanField(label="The certificate counts (https)", required=False)
    document = forms.CharField(label="Document (Systems Manager)", required=False, max_length=200)
    parameters = forms.CharField(
        label="Parameters (Systems Manager)",
        required=False,
        strip=False,
        help_text="One name=value a line; a name may come again, as with commands. No secrets: "
        "they stay in the plan's versions.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    repeatable = forms.BooleanField(
        label="May run twice (Systems Manager)",
        required=False,
        help_text="So it is sent again when nobody knows whether it ran.",
    )

    def clean_parameters(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in self.cleaned_data["parameters"].splitlines():
            name, equals, value = line.partition("=")
            if line.strip() and not equals:
                raise forms.ValidationError(f"This is no name=value: {line[:100]}")
            if line.strip():
                found.setdefault(name.strip(), []).append(value)
        return found

    def is_there(self) -> bool:
        """Whether a check was typed here."""
        return bool(self.cleaned_data.get("kind") or self.cleaned_data.get("name"))

    def said(self) -> Check:
        """The check as the service takes it, of a valid form: what is empty is at its default."""
        members = {**COMMON, **OWN.get(self.cleaned_data["kind"], {})}
        values = {name: self.cleaned_data[name] for name in members}
        return {
            name: _DEFAULTS[name] if value in (None, "") and name not in {"name", "kind"} else value
            for name, value in values.items()
        }


def forms_of(prefix: str, typed: Sequence[Typed], data: QueryDict | None) -> list[CheckForm]:
    """The forms of the checks of a wave: those that were sent, or what was typed and some more."""
    if data is not None:
        return [CheckForm(data, prefix=f"{prefix}-checks-{n}") for n in range(len(typed))]
    filled = [row for row in typed if row.get("name") or row.get("kind")]
    spare = [typed_of(_DEFAULTS)] * min(_SPARE, MOST_CHECKS - len(filled))
    return [
        CheckForm(prefix=f"{prefix}-checks-{n}", initial=dict(row))
        for n, row in enumerate([*filled, *spare])
    ]


def typed_of(check: Typed) -> Typed:
    """A check as it would be typed."""
    known = {**_DEFAULTS, **check}
    lines = [f"{name}={value}" for name, held in known["parameters"].items() for value in held]
    return {**known, "parameters": "\n".join(lines)}


def typed_in(data: QueryDict, prefix: str) -> tuple[Typed, ...]:
    """The checks of a wave that a form sent; nothing about them need be right yet."""
    count = data.get(f"{prefix}checks", "")
    return tuple(
        _typed(data, f"{prefix}checks-{n}-")
        for n in range(min(int(count) if count.isdecimal() else 0, MOST_CHECKS + _SPARE))
    )


def _typed(data: QueryDict, prefix: str) -> Typed:
    return {
        name: f"{prefix}{name}" in data
        if isinstance(field, forms.BooleanField)
        else data.get(f"{prefix}{name}", "")
        for name, field in CheckForm.base_fields.items()
    }
