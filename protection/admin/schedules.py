"""What beat sends when. The portal registers the tasks; people switch them and set their pace."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat.models import PeriodicTask
from typing_extensions import override

from drportal.access import Anybody, allowed
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from protection.admin.recorded import RecordedAdmin
from protection.selectors import seconds_between
from protection.services import schedules

# Celery's own chores are not for people to switch off.
_OURS = r"^(drportal|mirror|protection|recovery|audit|queries)\."
_LONGEST = 7 * 24 * 3600  # seconds


class ScheduleForm(PortalForm):
    """Whether a task is sent, and how often."""

    enabled = forms.BooleanField(label="Sent by beat", required=False)
    every = forms.IntegerField(
        label="Every how many seconds",
        min_value=1,
        max_value=_LONGEST,
        widget=forms.NumberInput(attrs={"min": 1}),
    )


@admin.register(PeriodicTask, site=site)
class PeriodicTaskAdmin(RecordedAdmin):
    """The schedule."""

    icon, section, place = "schedule", "Administration", 92
    menu = "Schedule"
    can = frozenset({"change", "history"})
    page_template = "protection/schedule.html"
    list_display = ("name", "task", "how_often", "enabled_shown", "last_sent")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    search_fields = ("name", "task")
    ordering = ("name",)

    def visible_to(self, user: Anybody) -> QuerySet[Any]:
        tasks: QuerySet[Any] = PeriodicTask.objects.filter(task__regex=_OURS)
        return tasks if allowed(user, self.permission("view")) else tasks.none()

    @admin.display(description="How often")
    def how_often(self, task: Any) -> str:
        return how_often(task)

    @admin.display(description="Sent by beat", ordering="enabled")
    def enabled_shown(self, task: Any) -> str:
        return badge("yes", Tone.PLAIN) if task.enabled else badge("switched off", Tone.WAIT)

    @admin.display(description="Last sent, as beat noted", ordering="last_run_at")
    def last_sent(self, task: Any) -> str:
        return last_noted(task)

    @override
    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        badge_shown = self.enabled_shown(obj)
        return {"how_often": how_often(obj), "badge": badge_shown, "noted": last_noted(obj)}

    def form_for(self, request: HttpRequest, obj: Any) -> ScheduleForm:
        data = request.POST if request.method == "POST" else None
        seconds = seconds_between(obj)
        form = ScheduleForm(data, initial={"enabled": obj.enabled, "every": seconds})
        if seconds is None:  # not an interval of seconds: it can be switched only
            del form.fields["every"]
        return form

    def save(self, request: HttpRequest, form: ScheduleForm, obj: Any) -> Any:
        said = form.cleaned_data
        return schedules.change(
            obj, enabled=said["enabled"], every=said.get("every"), actor=self.actor(request)
        )


def how_often(task: Any) -> str:
    """A task's schedule in words."""
    seconds = seconds_between(task)
    return f"every {seconds} s" if seconds is not None else str(task.schedule)


def last_noted(task: Any) -> str:
    """When a task was last sent, as far as beat has written it down: it does so now and then."""
    return age(task.last_run_at) if task.last_run_at else "not noted yet"
