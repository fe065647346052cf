"""The form of what a recovery plan says beside its waves."""

from datetime import timedelta
from typing import Any

from django import forms

from drportal.adminkit.forms import PortalForm
from drportal.errors import InvalidInput
from protection.admin.group_forms import tags_in
from recovery.choices import LaunchSettingsPolicy
from recovery.models import RecoveryPlan
from recovery.services.plan_rules import MOST_DRILL_DAYS

_MINUTE = timedelta(minutes=1)
_MOST_MINUTES = 1_000_000  # the service says how many there may be; this is what can be counted


class HeadForm(PortalForm):
    """What a plan says beside its waves."""

    name = forms.CharField(max_length=64)
    owner = forms.CharField(max_length=255, required=False)
    description = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    rto_minutes = forms.IntegerField(
        label="Recovery time objective (minutes)",
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
        help_text="An execution's page shows by when it is to have ended.",
    )
    rpo_minutes = forms.IntegerField(
        label="Recovery point objective (minutes)",
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
        help_text="The checks name servers that are behind by more.",
    )
    preflight_before_waves = forms.BooleanField(
        label="Ask AWS anew before each wave",
        required=False,
        initial=True,
        help_text="A wave whose servers, permissions or targets are not as they must be does not "
        "launch, unless somebody who may do so overrides that.",
    )
    launch_settings_policy = forms.ChoiceField(
        label="Where DRS holds other launch settings",
        choices=LaunchSettingsPolicy.choices,
        required=False,
        initial=LaunchSettingsPolicy.BLOCK,
        help_text="Before a wave launches. Needs that AWS is asked.",
    )
    drill_every_days = forms.IntegerField(
        label="Drilled at least every so many days",
        required=False,
        min_value=1,
        max_value=MOST_DRILL_DAYS,
        help_text="If no drill of it completes for longer, it is shown and told as overdue.",
    )
    notification_addresses = forms.CharField(
        label="Notification addresses",
        required=False,
        help_text="One e-mail address a line. Each gets all notices of the plan.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    tags = forms.CharField(
        required=False,
        help_text="The plan's own tags: one key=value a line.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    approval_needed = forms.BooleanField(
        label="A recovery needs the approval of a second person",
        required=False,
        initial=True,
        help_text="Whoever started it can never be that person.",
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean_tags(self) -> dict[str, str]:
        try:
            return tags_in(self.cleaned_data["tags"])
        except InvalidInput as error:
            raise forms.ValidationError(error.detail) from error

    def said(self) -> dict[str, Any]:
        """What the service takes, of a valid form."""
        said = self.cleaned_data
        lines = map(str.strip, said["notification_addresses"].splitlines())
        return {
            "name": said["name"],
            "owner": said["owner"],
            "description": said["description"],
            "rto": said["rto_minutes"] and said["rto_minutes"] * _MINUTE,
            "rpo": said["rpo_minutes"] and said["rpo_minutes"] * _MINUTE,
            "preflight_before_waves": said["preflight_before_waves"],
            "launch_settings_policy": LaunchSettingsPolicy(
                said["launch_settings_policy"] or LaunchSettingsPolicy.BLOCK
            ),
            "drill_every_days": said["drill_every_days"],
            "notification_addresses": tuple(filter(None, lines)),
            "tags": said["tags"],
            "approval_needed": said["approval_needed"],
        }


def head_of(plan: RecoveryPlan | None) -> dict[str, Any]:
    """What the form shows of `plan`."""
    if plan is None:
        return {}
    return {
        "name": plan.name,
        "owner": plan.owner,
        "description": plan.description,
        "rto_minutes": plan.rto // _MINUTE if plan.rto else None,
        "rpo_minutes": plan.rpo // _MINUTE if plan.rpo else None,
        "preflight_before_waves": plan.preflight_before_waves,
        "launch_settings_policy": plan.launch_settings_policy,
        "drill_every_days": plan.drill_every_days,
        "notification_addresses": "\n".join(plan.notification_addresses),
        "tags": "\n".join(f"{key}={value}" for key, value in sorted(plan.tags.items())),
        "approval_needed": plan.approval_needed,
        "version": plan.version,
    }
