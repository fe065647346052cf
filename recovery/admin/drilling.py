"""How it stands with the drills of plans, on pages: when the last one was, and what is overdue."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from typing_extensions import override

from drportal.access import Anybody
from drportal.adminkit.widgets import Tone, age, badge
from protection.admin.recorded import RecordedAdmin
from recovery.models import RecoveryPlan
from recovery.selectors import plans_for, with_drills

_MOST = 20


def drilled(plan: Any) -> str:
    """When the last drill of a row of `with_drills` completed, and whether the next is overdue."""
    told = age(plan.last_drill_at)
    if plan.drill_due_at is None:
        return told
    if plan.drill_due_at < timezone.now():
        hint = f"One was to complete by {plan.drill_due_at:%Y-%m-%d %H:%M} UTC"
        return format_html("{} {}", badge("Drill overdue", Tone.BAD, hint=hint), told)
    return format_html("{} next by {}", told, plan.drill_due_at.strftime("%Y-%m-%d"))


def overdue_for(user: Anybody) -> list[dict[str, Any]]:
    """The plans that `user` may see whose drill is overdue, longest first. One query."""
    found = with_drills(plans_for(user)).filter(drill_due_at__lt=timezone.now())
    longest_first = found.order_by("drill_due_at", "pk")[:_MOST]
    return [{"plan": plan, "told": drilled(plan)} for plan in longest_first]


class DrilledPages(RecordedAdmin):
    """What the pages of plans have of it."""

    @admin.display(description="Last completed drill")
    def drilled(self, plan: Any) -> str:
        return drilled(plan)

    @override
    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        plan = with_drills(RecoveryPlan.objects.filter(pk=obj.pk)).get()
        return {**super().page_context(request, obj), "drilled": drilled(plan)}
