"""Forms of launch settings: one field for each setting that may be set at a level."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from drportal.adminkit.forms import PortalForm
from drportal.errors import InvalidInput
from protection.admin.group_forms import tags_in
from protection.choices import Combination, SettingsLevel
from protection.models import SourceServer
from protection.rules import launch as rules
from protection.services.launch_choices import Choices

_FLAGS = (("", "Not set"), ("true", "Yes"), ("false", "No"))


class SettingsForm(PortalForm):
    """What one level sets. An empty field is not set."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(
        self, *args: Any, level: SettingsLevel, choices: Choices | None = None, **kwargs: Any
    ) -> None:
        self.level = level
        self.choices = choices
        super().__init__(*args, **kwargs)

    def values(self) -> dict[str, Any]:
        """What was typed, as the rules take it. Raises InvalidInput for tags that are none."""
        typed = {
            field.name: _typed(field, self.cleaned_data.get(field.name, ""))
            for field in fields_of(self.level)
            if field.name in self.fields
        }
        return {name: value for name, value in typed.items() if value is not None}

    @classmethod
    def initial_of(cls, values: Mapping[str, Any], version: int) -> dict[str, Any]:
        """What the fields show of `values`."""
        shown = {name: _shown(rules.BY_NAME[name], value) for name, value in values.items()}
        return {**shown, "version": version}


class GroupSettingsForm(SettingsForm):
    """What a group sets."""

    unverified = forms.BooleanField(
        required=False, label="Save although AWS could not be asked about something"
    )


class ServerSettingsForm(GroupSettingsForm):
    """What one server sets."""

    combination = forms.ChoiceField(
        choices=Combination.choices,
        widget=forms.RadioSelect,
        label="What these do with the group's settings",
    )


class BulkSettingsForm(GroupSettingsForm):
    """What is to be set for several servers at once. A field that is left empty stays as it is."""

    version = None  # type: ignore[assignment]  # each server has its own; the page reads them
    servers = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label="Servers")

    def __init__(self, *args: Any, servers: Sequence[SourceServer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        for field in fields.values():
            if isinstance(field, forms.ChoiceField):
                offered: Any = field.choices
                field.choices = [
                    (value, label if value else "As it is") for value, label in offered
                ]
        choosing: Any = self.fields["servers"]
        choosing.choices = [(str(server.pk), server.name) for server in servers]


def with_fields(kind: type[SettingsForm], level: SettingsLevel) -> type[Any]:
    """`kind` of form with a field for every setting of `level`, in the order of the table."""
    made = {field.name: _field(field) for field in fields_of(level)}
    if kind is BulkSettingsForm:
        made.pop("staticPrivateIp", None)  # no two servers have the same
        made.pop("launchIntoInstanceProperties", None)
    order = ["servers", "combination", *made, "unverified", "version"]
    return type(kind.__name__, (kind,), {**made, "field_order": order})


def fields_of(level: SettingsLevel) -> list[rules.Field]:
    """The settings that may be set at a level."""
    return [field for field in rules.FIELDS if level in field.levels]


def _field(field: rules.Field) -> forms.Field:
    more: dict[str, Any] = {"required": False, "label": field.label, "help_text": field.help}
    if field.sort == rules.Sort.FLAG:
        return forms.ChoiceField(choices=_FLAGS, **more)
    if field.sort == rules.Sort.CHOICE:
        named = [("", "Not set"), *((each, each) for each in field.choices)]
        return forms.ChoiceField(choices=named, **more)
    if field.sort == rules.Sort.TAGS:
        more["help_text"] += " One key=value a line."
        return forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), **more)
    if field.sort == rules.Sort.LIST:
        more["help_text"] += " Several are separated by spaces or commas."
    attributes = {"list": f"choices-{field.name}", "autocomplete": "off"}
    return forms.CharField(widget=forms.TextInput(attrs=attributes), max_length=2000, **more)


def _typed(field: rules.Field, text: str) -> Any:
    text = text.strip()
    if not text:
        return None
    value: Any = text
    if field.sort == rules.Sort.FLAG:
        value = text == "true"
    elif field.sort == rules.Sort.LIST:
        value = [each for each in re.split(r"[\s,]+", text) if each]
    elif field.sort == rules.Sort.TAGS:
        try:
            value = tags_in(text)
        except InvalidInput as error:
            errors = [{**each, "field": field.name} for each in error.errors]
            raise InvalidInput(error.detail, errors=errors) from error
    return {field.inner: value} if field.inner else value


def _shown(field: rules.Field, value: Any) -> str:
    if field.inner:
        value = value[field.inner]
    if field.sort == rules.Sort.FLAG:
        return "true" if value else "false"
    if field.sort == rules.Sort.LIST:
        return " ".join(value)
    if field.sort == rules.Sort.TAGS:
        return "\n".join(f"{key}={said}" for key, said in sorted(value.items()))
    return str(value)
