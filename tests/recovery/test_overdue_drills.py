"""Plans that were not drilled for longer than they say: shown, and told once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drportal.errors import InvalidInput
from recovery.models import Notice, RecoveryPlan
from recovery.selectors import with_drills
from recovery.services import plans
from recovery.services.notice_words import message_of
from recovery.services.plan_documents import spec_in
from recovery.states import ExecutionState, Kind
from recovery.tasks import tell_of_overdue_drills
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import ExecutionFactory, RecoveryPlanFactory
from tests.factories.users import SuperuserFactory
from tests.schedules import at
from tests.worlds import PERSON, wave

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def plan():
    created = timezone.now() - 100 * DAY
    return RecoveryPlanFactory.create(name="Payroll", drill_every_days=90, created_at=created)


def drilled(plan, days_ago, *, state=ExecutionState.COMPLETED, kind=Kind.DRILL, **said):
    ended = timezone.now() - days_ago * DAY
    more = {} if state == ExecutionState.RUNNING else {"finished_at": ended}
    more |= said
    return ExecutionFactory.create(plan=plan, kind=kind, state=state, created_at=ended, **more)


def overdue() -> bool:
    found = with_drills(RecoveryPlan.objects.all()).filter(drill_due_at__lt=timezone.now())
    return found.exists()


@pytest.mark.parametrize(
    ("days_ago", "more", "expected"),
    [
        (10, {}, False),
        (91, {}, True),
        # What did not bring everything back is no drill that went well; a recovery is none at all.
        (10, {"state": ExecutionState.PARTIAL}, True),
        (10, {"state": ExecutionState.FAILED}, True),
        (10, {"state": ExecutionState.CANCELLED}, True),
        (10, {"kind": Kind.RECOVERY}, True),
        (0, {"state": ExecutionState.RUNNING}, True),
        (10, {"options": {"from_wave": 2}}, True),
    ],
)
def test_only_a_drill_that_completed_counts(plan, days_ago, more, expected):
    drilled(plan, days_ago, **more)
    assert overdue() is expected


def test_one_never_drilled_counts_from_its_making_and_none_is_overdue_without_an_interval(plan):
    assert overdue()
    RecoveryPlan.objects.update(created_at=timezone.now() - 89 * DAY)
    assert not overdue()
    RecoveryPlan.objects.update(created_at=timezone.now() - 999 * DAY, drill_every_days=None)
    assert not overdue()


def test_it_is_told_once_and_again_after_a_week(plan):
    drilled(plan, 91)
    for _ in range(3):
        tell_of_overdue_drills()
    notice = Notice.objects.get()
    assert "[DRILL] Payroll: drill is overdue" in message_of(notice, key="k").subject
    assert "every 90 days" in notice.message
    with at(timezone.now() + 6 * DAY):
        tell_of_overdue_drills()
        tell_of_overdue_drills()
    assert list(Notice.objects.order_by("id").values_list("number", flat=True)) == [0, 1]


def test_a_drill_ends_it_and_the_next_time_is_told_anew(plan):
    drilled(plan, 91)
    tell_of_overdue_drills()
    drilled(plan, 0)
    with at(timezone.now() + DAY):
        tell_of_overdue_drills()
    assert Notice.objects.count() == 1
    with at(timezone.now() + 91 * DAY):
        tell_of_overdue_drills()
    assert Notice.objects.count() == 2


def test_it_is_in_the_versions_of_the_plan():
    waves = [wave("Web", ProtectionGroupFactory.create())]
    plan = plans.create(name="Payroll", waves=waves, drill_every_days=90, actor=PERSON)
    plans.edit(plan, name="Payroll", waves=waves, drill_every_days=30, actor=PERSON)
    with pytest.raises(InvalidInput):
        plans.edit(plan, name="Payroll", waves=waves, drill_every_days=0, actor=PERSON)
    kept = [spec_in(row.document).drill_every_days for row in plan.versions.order_by("number")]
    assert kept == [90, 30]


def test_it_is_shown_and_filtered_by(client, plan):
    RecoveryPlanFactory.create(name="Fresh", drill_every_days=90)
    client.force_login(SuperuserFactory.create())
    path = "/api/v1/recovery-plans"
    (row,) = client.get(path, {"drillOverdue": "true"}).json()["results"]
    assert (row["name"], row["drill_overdue"], row["last_drill_at"]) == ("Payroll", True, None)
    (row,) = client.get(path, {"drillOverdue": "false"}).json()["results"]
    assert (row["name"], row["drill_overdue"]) == ("Fresh", False)
    assert "Drills overdue (1)" in client.get("/admin/").content.decode()
    told = client.get("/admin/recovery/recoveryplan/?drill=overdue").content.decode()
    assert "Drill overdue" in told
    assert "Fresh" not in told
    page = client.get(f"/admin/recovery/recoveryplan/{plan.pk}/change/").content.decode()
    assert "Drill overdue" in page
