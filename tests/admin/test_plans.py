import pytest
from django.urls import reverse

from audit.models import AuditRecord
from recovery.models import Execution, RecoveryPlan
from recovery.states import ExecutionState, Kind
from tests.admin.conftest import recorded
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import ExecutionFactory, PlanWaveFactory, RecoveryPlanFactory, plan_of
from tests.factories.users import grant


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_recoveryplan_{name}", args=ids)


def sent(group, **more: object) -> dict[str, object]:
    return {
        "name": "Payments",
        "waves": "1",
        "waves-0-name": "Databases",
        "waves-0-groups": [str(group.pk)],
        "waves-0-time_limit_minutes": "60",
        "waves-0-wait_minutes": "0",
        "waves-0-success_threshold": "100",
    } | more


@pytest.fixture
def group(db):
    return ProtectionGroupFactory.create(name="payments-db")


def test_a_plan_is_made_through_the_service(root, group):
    root.post(link("add"), sent(group))
    plan = RecoveryPlan.objects.get()
    assert (plan.name, plan.version, plan.versions.count()) == ("Payments", 1, 1)
    assert AuditRecord.objects.filter(event="recovery.plan.created").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"waves-0-groups": []}, "A wave launches at least one group."),
        ({"waves-0-name": " "}, "A name has 1 to 64 characters."),
        ({"waves-0-time_limit_minutes": "99999"}, "A time limit is 1 minute to 7 days."),
        ({"waves": "0"}, "A plan has at least one wave."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_at_its_place_and_nothing_is_written(root, group, wrong, said):
    answer = root.post(link("add"), sent(group, **wrong))
    assert said in answer.content.decode()
    assert (RecoveryPlan.objects.count(), recorded()) == (0, [])


def test_somebody_who_saved_first_is_not_overwritten(root, group):
    plan = plan_of(group, name="Payments")
    RecoveryPlan.objects.filter(pk=plan.pk).update(version=2)
    answer = root.post(link("edit", plan.pk), sent(group, version="1", name="Mine"))
    assert "was changed meanwhile" in answer.content.decode()
    plan.refresh_from_db()
    assert plan.name == "Payments"


def test_groups_that_one_does_not_see_stay_in_the_plan_but_no_others_come_in(
    person, browser, group
):
    plan = plan_of(group, name="Payments")
    other = ProtectionGroupFactory.create(name="not-theirs")
    grant(person, "recovery.view_recoveryplan", "recovery.change_recoveryplan", on=plan)
    page = browser.get(link("edit", plan.pk)).content.decode()
    assert "payments-db" in page
    assert "not-theirs" not in page
    answer = browser.post(link("edit", plan.pk), sent(other, version="1"))
    assert "is not one of the available choices" in answer.content.decode()
    browser.post(link("edit", plan.pk), sent(group, version="1", name="Renamed"))
    plan.refresh_from_db()
    assert (plan.name, plan.version) == ("Renamed", 2)


@pytest.mark.parametrize(
    ("permission", "kind", "status"),
    [
        ("drill_recoveryplan", "drill", 302),
        ("drill_recoveryplan", "recovery", 403),
        ("recover_recoveryplan", "recovery", 302),
        ("recover_recoveryplan", "drill", 403),
        ("steer_recoveryplan", "drill", 403),
        ("change_recoveryplan", "drill", 403),
    ],
)
def test_to_drill_and_to_recover_are_two_permissions(
    person, browser, group, permission, kind, status
):
    plan = plan_of(group, name="Payments")
    grant(person, "recovery.view_recoveryplan", f"recovery.{permission}", on=plan)
    answer = browser.post(link("start", plan.pk, kind), {"reason": "why", "typed": "Payments"})
    assert answer.status_code == status
    assert Execution.objects.count() == (1 if status == 302 else 0)


@pytest.mark.parametrize("kind", ["x", "DRILL", "Recovery"])
def test_there_is_no_other_kind_of_start(root, group, kind):
    plan = plan_of(group)
    assert root.get(link("start", plan.pk, kind)).status_code == 404


def test_asking_starts_nothing(root, group):
    root.get(link("start", plan_of(group).pk, "drill"))
    assert not Execution.objects.exists()


def test_a_drill_leads_to_its_page(root, group):
    plan = plan_of(group)
    answer = root.post(link("start", plan.pk, "drill"), {"reason": "quarterly"})
    execution = Execution.objects.get()
    assert answer["Location"] == reverse("admin:recovery_execution_change", args=[execution.pk])
    assert (execution.kind, execution.reason, execution.requested_by) == (
        Kind.DRILL,
        "quarterly",
        "root",
    )


def test_a_recovery_without_the_plans_name_is_not_started(root, group):
    plan = plan_of(group, name="Payments")
    answer = root.post(link("start", plan.pk, "recovery"), {"typed": "payments"})
    assert "This is not Payments." in answer.content.decode()
    assert not Execution.objects.exists()


def test_a_plan_that_runs_is_not_started_again(root, group):
    plan = plan_of(group)
    running = ExecutionFactory.create(plan=plan)
    answer = root.post(link("start", plan.pk, "drill"), {})
    assert str(running.pk) in answer.content.decode()
    assert Execution.objects.count() == 1


def test_the_outlook_names_servers_that_could_not_be_launched(root):
    down = SourceServerFactory.create(name="db-01", replication_state="STOPPED")
    unseen = SourceServerFactory.create(name="db-02", listed=False)
    plan = RecoveryPlanFactory.create()
    groups = [
        ProtectionGroupFactory.create(account=server.account, servers=[server])
        for server in (down, unseen)
    ]
    PlanWaveFactory.create(plan=plan, groups=groups)
    page = root.get(link("change", plan.pk)).content.decode()
    assert "db-01: its replication is stopped" in page
    assert "db-02: its account and Region were never listed" in page


def test_a_plan_that_runs_is_not_deleted(root, group):
    plan = plan_of(group, name="Payments")
    ExecutionFactory.create(plan=plan, state=ExecutionState.RUNNING)
    answer = root.post(link("delete", plan.pk), {"typed": "Payments"})
    assert "is being carried out" in answer.content.decode()
    assert RecoveryPlan.objects.exists()
