"""The form of a drill schedule."""

import re
from typing import Any

from django import forms

from drportal.adminkit.forms import PortalForm
from recovery.engine.occurrences import Repeats
from recovery.services.drill_schedules import MOST_EVERY, MOST_HOURS


class ScheduleForm(PortalForm):
    """When a plan is drilled."""

    plan = forms.ChoiceField(label="Plan")
    repeats = forms.ChoiceField(label="Repeats", choices=Repeats.choices)
    every = forms.IntegerField(
        label="Every so many weeks or months", min_value=1, max_value=MOST_EVERY, initial=1
    )
    first_on = forms.DateField(
        label="First day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="It fixes the weekday, or the day of the month; in a shorter month, its last.",
    )
    at = forms.TimeField(
        label="Time of day",
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(attrs={"type": "time"}),
    )
    zone = forms.CharField(
        label="Time zone", max_length=64, initial="UTC", help_text="Such as Europe/Berlin."
    )
    approvers = forms.CharField(
        label="Who may approve",
        required=False,
        help_text="Usernames, with commas between them: one of these must approve each drill "
        "before it starts. Empty: nobody must.",
    )
    clean_up_after_hours = forms.IntegerField(
        label="Clean up after so many hours",
        required=False,
        min_value=1,
        max_value=MOST_HOURS,
        help_text="After its end, with a warning before, and a veto. Empty: what it launched stays "
        "until somebody terminates it.",
    )
    reason = forms.CharField(
        label="Reason of each drill",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    enabled = forms.BooleanField(label="Enabled", required=False, initial=True)

    def __init__(self, *args: Any, plans: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["plan"]
        choice.choices = plans

    def clean_approvers(self) -> tuple[str, ...]:
        return tuple(name for name in re.split(r"[,\s]+", self.cleaned_data["approvers"]) if name)
