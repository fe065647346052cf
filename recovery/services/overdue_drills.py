"""Telling of plans that were not drilled for longer than they say: once, and now and then again."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from recovery.models import Notice, RecoveryPlan
from recovery.selectors import with_drills
from recovery.services.notices import DRILL_OVERDUE
from recovery.states import Kind


def tell() -> None:
    """Write the notice that is due for each plan whose drill is overdue: one as soon as it is, then
    reminders. Of those that were missed while no worker ran, only the latest. Two queries.
    """
    now = timezone.now()
    every = timedelta(days=settings.DRILL_OVERDUE_REMINDER_DAYS)
    found = with_drills(RecoveryPlan.objects.all()).filter(drill_due_at__lt=now)
    notices = []
    for plan in found:
        number = (now - plan.drill_due_at) // every
        last = plan.last_drill_at
        when = f"completed {last:%Y-%m-%d}" if last else "never completed, as far as is known"
        said = f"A drill of it is to complete every {plan.drill_every_days} days; the last {when}."
        notices.append(
            Notice(
                key=f"overdue:{plan.pk}:{plan.drill_due_at.timestamp():.0f}:{number}",
                kind=DRILL_OVERDUE,
                at=now,
                plan=plan,
                plan_name=plan.name,
                about=Kind.DRILL,
                number=number,
                message=said,
            )
        )
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
