"""The pages of plans: all that one may say, the checks, versions, copies and the list."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from protection.models import AccountRegion, RecoveryInstance
from recovery.models import RecoveryPlan, ServerClaim
from recovery.services import plans
from recovery.services.plan_documents import spec_of
from recovery.services.plans import GroupServers, WaveSpec
from recovery.states import ExecutionState, ServerState, WaveState
from tests.admin.conftest import recorded
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory, plan_of
from tests.factories.users import grant
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_recoveryplan_{name}", args=ids)


@pytest.fixture
def group():
    server = SourceServerFactory.create(name="db-1")
    other = SourceServerFactory.create(name="db-2", account=server.account)
    return ProtectionGroupFactory.create(
        name="databases", account=server.account, servers=[server, other]
    )


@pytest.fixture
def ids(group):
    return [m.server.server_id for m in group.members.order_by("server__name")]


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


def page(browser, name: str, *ids: object):
    answer = browser.get(link(name, *ids))
    assert answer.status_code == 200
    return answer.content.decode()


def test_all_that_a_plan_may_say_is_on_the_form(root, group, ids):
    values = {
        "owner": "Shop team",
        "rto_minutes": "240",
        "rpo_minutes": "15",
        "notification_addresses": "a@example.com\n b@example.com \n",
        "tags": "dr:priority=high\nteam=shop",
        "waves-0-wait_minutes": "5",
        "waves-0-success_threshold": "50",
        "waves-0-only": [f"{group.pk}/{pk}" for pk in ids],
        "waves-0-optional": [f"{group.pk}/{ids[1]}"],
    }
    root.post(link("add"), sent(group, **values))
    said = spec_of(RecoveryPlan.objects.get())
    assert (said.owner, said.rto, said.rpo) == (
        "Shop team",
        timedelta(hours=4),
        timedelta(minutes=15),
    )
    assert said.notification_addresses == ("a@example.com", "b@example.com")
    assert said.tags == {"dr:priority": "high", "team": "shop"}
    (wave,) = said.waves
    assert (wave.wait, wave.success_threshold) == (timedelta(minutes=5), 50)
    assert wave.group_servers == (GroupServers(group.pk, tuple(sorted(ids)), (ids[1],)),)

    shown = page(root, "edit", RecoveryPlan.objects.get().pk)
    for text in ("Shop team", "240", "a@example.com", "dr:priority=high", "2 chosen, 1 optional"):
        assert text in shown
    shown = page(root, "change", RecoveryPlan.objects.get().pk)
    for text in ("4 h", "15 min", "b@example.com", "team=shop", "only 2 chosen, 1 optional"):
        assert text in shown


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"notification_addresses": "nobody"}, "This is no e-mail address: nobody"),
        ({"tags": "priority"}, "This is not key=value: priority"),
        ({"rto_minutes": "50000"}, "The RTO is more than nothing and at most 30 days."),
        ({"rpo_minutes": "0"}, "greater than or equal to 1"),
        ({"rto_minutes": "9" * 30}, "less than or equal to"),
        ({"waves-0-wait_minutes": "1441"}, "A wave waits for 0 to 24 hours."),
        ({"waves-0-success_threshold": "0"}, "greater than or equal to 1"),
        ({"waves-0-only": ["{group}/s-nowhere"]}, "s-nowhere"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(root, group, wrong, said):
    wrong = {
        key: [v.format(group=group.pk) for v in value] if isinstance(value, list) else value
        for key, value in wrong.items()
    }
    answer = root.post(link("add"), sent(group, **wrong))
    assert said in answer.content.decode()
    assert (RecoveryPlan.objects.count(), recorded()) == (0, [])


def test_servers_of_a_group_that_is_no_longer_ticked_do_not_count(root, group, ids):
    other = ProtectionGroupFactory.create()
    more = {"waves-0-groups": [str(other.pk)], "waves-0-only": [f"{group.pk}/{ids[0]}"]}
    root.post(link("add"), sent(group, **more))
    assert spec_of(RecoveryPlan.objects.get()).waves[0].group_servers == ()


def test_a_chosen_server_that_left_stays_on_the_form_until_it_is_unticked(root, group, ids):
    chosen = GroupServers(group.pk, (ids[0],))
    wave = WaveSpec("Wave", (group.pk,), group_servers=(chosen,))
    plan = plans.create(name="Plan", waves=[wave], actor=PERSON)
    group.members.filter(server__server_id=ids[0]).delete()
    shown = page(root, "edit", plan.pk)
    assert "no longer in the group" in shown
    assert f"{group.pk}/{ids[0]}" in shown


def test_checking_draws_and_explains_wave_by_wave_without_saving(root, group):
    empty = ProtectionGroupFactory.create(name="nothing", tags={"Tier": "none"})
    more = {"waves-0-groups": [str(group.pk), str(empty.pk)], "_again": "check"}
    shown = root.post(link("add"), sent(group, **more)).content.decode()
    assert "nothing holds no servers now." in shown
    assert "No launch settings at any level" in shown
    assert "It would launch 2 servers now, in 1 launch job." in shown
    assert "<svg" in shown
    assert (RecoveryPlan.objects.count(), recorded()) == (0, [])


def test_checking_says_what_would_keep_it_from_being_saved(root, group):
    more = {"waves-0-groups": [], "_again": "check"}
    shown = root.post(link("add"), sent(group, **more)).content.decode()
    assert "A wave launches at least one group." in shown
    assert "dr-bad" in shown


def test_the_page_of_a_plan_shows_the_checks_and_what_is_not_known(root, group):
    plan = plan_of(group)
    shown = page(root, "change", plan.pk)
    assert "No launch settings at any level" in shown
    assert "is not known: they were never listed" in shown
    AccountRegion.objects.update(
        instance_status="ACTIVE", instances_listed_at=timezone.now(), instance_count=0
    )
    assert "No recovery instances of these servers" in page(root, "change", plan.pk)


def test_before_a_start_one_sees_what_instances_are_there(root, group):
    """D1: the reference's warning always says that there are none."""
    server = group.members.first().server
    RecoveryInstance.objects.create(
        account=server.account,
        region=server.region,
        instance_id="i-0abc",
        server_id=server.server_id,
        ec2_state="running",
        fingerprint="x",
    )
    shown = page(root, "start", plan_of(group).pk, "drill")
    assert "1 recovery instance of these servers is there already" in shown
    assert "i-0abc" in shown


@pytest.fixture
def edited(group):
    waves = [WaveSpec("Wave", (group.pk,))]
    plan = plans.create(name="Plan", owner="first", waves=waves, actor=PERSON)
    return plans.edit(plan, name="Plan", owner="second", waves=waves, actor=PERSON)


def test_a_version_is_compared_and_restored_once_that_is_confirmed(root, edited):
    assert link("version", edited.pk, 1) in page(root, "change", edited.pk)
    first = page(root, "version", edited.pk, 1)
    assert "There was nothing before it." in first
    assert all(word in first for word in ("owner", "first", "second"))
    assert link("restore_version", edited.pk, 1, 2) in first
    assert link("restore_version", edited.pk, 2, 2) not in page(root, "version", edited.pk, 2)
    asked = page(root, "restore_version", edited.pk, 1, 2)
    assert all(word in asked for word in ("owner", "first", "second"))
    edited.refresh_from_db()
    assert edited.version == 2
    answer = root.post(link("restore_version", edited.pk, 1, 2))
    assert answer["Location"] == link("change", edited.pk)
    edited.refresh_from_db()
    assert (edited.owner, edited.version) == ("first", 3)


def test_a_plan_that_changed_since_one_looked_is_not_restored(root, edited):
    answer = root.post(link("restore_version", edited.pk, 1, 1))
    assert "was changed meanwhile" in answer.content.decode()
    edited.refresh_from_db()
    assert (edited.owner, edited.version) == ("second", 2)


@pytest.mark.parametrize("number", [9, 0])
def test_there_is_no_page_of_a_version_that_was_not(root, edited, number):
    assert root.get(link("version", edited.pk, number)).status_code == 404
    assert root.post(link("restore_version", edited.pk, number, 2)).status_code == 404


def test_restoring_needs_the_permission_to_change(person, browser, edited):
    grant(person, "recovery.view_recoveryplan", on=edited)
    assert "Restore this version" not in page(browser, "version", edited.pk, 1)
    assert browser.post(link("restore_version", edited.pk, 1, 2)).status_code == 403
    edited.refresh_from_db()
    assert edited.version == 2


def test_restoring_brings_in_no_group_that_one_does_not_see(person, browser, group):
    hidden = ProtectionGroupFactory.create(name="hidden")
    plan = plans.create(name="Plan", waves=[WaveSpec("W", (hidden.pk,))], actor=PERSON)
    plans.edit(plan, name="Plan", waves=[WaveSpec("W", (group.pk,))], actor=PERSON)
    grant(person, "recovery.view_recoveryplan", "recovery.change_recoveryplan", on=plan)
    answer = browser.post(link("restore_version", plan.pk, 1, 2))
    assert "There is no protection group" in answer.content.decode()
    plan.refresh_from_db()
    assert plan.version == 2


def test_a_plan_is_copied_under_another_name(root, edited):
    assert link("copy", edited.pk) in page(root, "change", edited.pk)
    taken = root.post(link("copy", edited.pk), {"name": "PLAN"}).content.decode()
    assert "There is a recovery plan named PLAN already." in taken
    answer = root.post(link("copy", edited.pk), {"name": "Copy"})
    copied = RecoveryPlan.objects.get(name="Copy")
    assert answer["Location"] == link("change", copied.pk)
    assert (copied.owner, copied.version) == ("second", 1)


def test_copying_needs_the_permission_to_make_plans(person, browser, edited):
    grant(person, "recovery.view_recoveryplan", "recovery.change_recoveryplan", on=edited)
    assert link("copy", edited.pk) not in page(browser, "change", edited.pk)
    assert browser.post(link("copy", edited.pk), {"name": "Copy"}).status_code == 403
    assert RecoveryPlan.objects.count() == 1


def listed(browser, query: str) -> set[str]:
    answer = browser.get(link("changelist") + query)
    assert answer.status_code == 200
    return {row.name for row in answer.context["cl"].result_list}


def test_filters_of_the_list(root, group):
    plan_of(group, name="Held", tags={"team": "shop"})
    idle = plan_of(name="Idle", tags={"team": "bank"})
    server = group.members.first().server
    ExecutionFactory.create(plan=idle, state=ExecutionState.PARTIAL)
    ServerClaim.objects.create(
        execution=ExecutionFactory.create(plan=idle, state=ExecutionState.RUNNING),
        account_id=server.account.account_id,
        region=server.region,
        server_id=server.server_id,
    )
    cases = {
        "": {"Held", "Idle"},
        f"?account={group.account.account_id}": {"Held"},
        "?tag=team%3Dshop": {"Held"},
        "?tag=team%3Dnobody": set(),
        "?conflict=yes": {"Held"},
        "?conflict=no": {"Idle"},
        "?latest=RUNNING": {"Idle"},
        "?latest=PARTIAL": set(),  # it was, but is no longer the latest
        "?latest=NEVER": {"Held"},
    }
    assert {query: listed(root, query) for query in cases} == cases
    assert "1 server" in root.get(link("changelist")).content.decode()


def test_the_page_of_an_execution_shows_timers_optional_servers_and_the_deadline(root, group):
    wave = WaveSpec("Wave", (group.pk,), wait=timedelta(minutes=5))
    plan = plans.create(name="Plan", rto=timedelta(hours=4), waves=[wave], actor=PERSON)
    execution = ExecutionFactory.create(plan=plan, state=ExecutionState.RUNNING)
    well = WaveFactory.create(execution=execution, state=WaveState.COMPLETED, success_threshold=50)
    WaveServerFactory.create(wave=well, state=ServerState.LAUNCHED)
    WaveServerFactory.create(
        wave=well, name="spare", state=ServerState.FAILED, critical=False, message="No room"
    )
    until = timezone.now() + timedelta(minutes=5)
    WaveFactory.create(execution=execution, position=2, wait=timedelta(minutes=5), wait_until=until)
    WaveFactory.create(execution=execution, position=3, wait=timedelta(minutes=7))
    at = reverse("admin:recovery_execution_change", args=[execution.pk])
    shown = root.get(at).content.decode()
    assert f"Timer: waits until {until:%H:%M:%S} UTC" in shown
    assert shown.count("Waiting for its timer") >= 1
    execution.waves.filter(position=2).update(state=WaveState.WAITING, gate=True)
    execution.waves.filter(position=2).update(gate_opened_at=timezone.now())
    gated = root.get(at).content.decode()
    assert "Waiting at its gate" not in gated
    assert "Waiting for its timer" in gated
    assert "Timer: waits 7 min once it could start" in shown
    assert "Completed, not all launched" in shown
    assert "spare (optional)" in shown
    assert "Ends well with 50 % launched" in shown
    deadline = execution.created_at + timedelta(hours=4)
    assert f"{deadline:%Y-%m-%d %H:%M:%S} UTC, 3 h 59 min left" in shown
    execution.created_at -= timedelta(hours=5)
    execution.save()
    assert "missed by 1 h" in root.get(at).content.decode()
