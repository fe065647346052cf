"""Checks that explain themselves, wave by wave, and block nothing that they need not."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from protection.choices import SettingsLevel
from protection.models import AccountRegion, LaunchSettings, SourceServer
from protection.selectors import servers_chosen
from recovery.choices import CheckLevel
from recovery.models import ServerClaim
from recovery.selectors import existing_instances, holds_by_plan, servers_by_group
from recovery.services import plan_checks, plans
from recovery.services.plans import GroupServers, PlanSpec, WaveSpec
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.factories.users import SuperuserFactory
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db
NOBODY = AnonymousUser()


def held(count=1, **more):
    """A group of so many ready servers."""
    account = more.pop("account", None) or TargetAccountFactory.create()
    servers = [SourceServerFactory.create(account=account, **more)]
    rest = SourceServerFactory.build_batch(count - 1, account=account, **more)
    servers += SourceServer.objects.bulk_create(rest)
    region = servers[0].region
    return ProtectionGroupFactory.create(account=account, region=region, servers=servers)


def wave(*groups, **more):
    return WaveSpec(name="Wave", group_ids=tuple(group.pk for group in groups), **more)


def found(*waves, user=NOBODY, plan=None, **more):
    LaunchSettings.objects.get_or_create(
        level=SettingsLevel.INSTALLATION, defaults={"values": {"copyTags": True}}
    )
    return check(*waves, user=user, plan=plan, **more)


def check(*waves, user=NOBODY, plan=None, **more):
    said = PlanSpec(name="Draft", waves=waves, **more)
    return plan_checks.check(said, plan=plan, user=user)


def codes(checked):
    return [(row.wave, row.code) for row in checked.findings]


def test_a_plan_of_ready_servers_has_nothing_against_it():
    checked = found(wave(held(3)))
    assert checked.findings == ()
    assert [(row.servers, row.jobs) for row in checked.waves] == [(3, 1)]
    assert checked.savable


def test_what_keeps_it_from_being_saved_is_an_error_at_its_wave():
    checked = found(wave(held()), wave(depends_on=(9,)))
    errors = {(row.wave, row.code) for row in checked.findings if row.level == CheckLevel.ERROR}
    assert errors == {(2, "no_groups"), (2, "unknown_wave")}
    assert not checked.savable


def test_of_more_waves_than_a_plan_may_have_only_that_is_said():
    checked = found(*[wave(held())] * 51)
    assert (None, "too_many") in codes(checked)
    assert checked.waves == ()


def test_a_circle_is_about_the_whole():
    checked = found(wave(held(), depends_on=(2,)), wave(held(), depends_on=(1,)))
    (row,) = checked.of_whole
    assert (row.code, row.level) == ("cycle", CheckLevel.ERROR)
    assert "→" in row.message


def test_a_name_that_is_taken_is_an_error_but_not_the_plans_own():
    plan = plan_of(name="DRAFT")
    assert (None, "name_taken") in codes(found(wave(held())))
    assert codes(found(wave(held()), plan=plan)) == []


def test_an_empty_group_is_told():
    empty = ProtectionGroupFactory.create(tags={"Tier": "none"})
    assert codes(found(wave(held(), empty))) == [(1, "empty_group")]


def test_a_server_in_two_waves_is_told_in_both():
    group = held(1, tags={"Tier": "db"})
    by_tag = ProtectionGroupFactory.create(account=group.account, tags={"Tier": "db"})
    checked = found(wave(group), wave(by_tag), wave(held()))
    assert codes(checked) == [(1, "server_twice"), (2, "server_twice")]
    only = found(wave(group), wave(by_tag, group_servers=(GroupServers(by_tag.pk, ("s-x",)),)))
    assert (1, "server_twice") not in codes(only)


@pytest.mark.parametrize(
    ("facts", "code", "told"),
    [
        ({"replication_state": "STOPPED"}, "not_ready", "its replication is stopped"),
        ({"gone_at": timezone.now()}, "not_ready", "no longer lists"),
        ({"replication_state": "NEW_WORD"}, "readiness_unknown", "NEW_WORD"),
    ],
)
def test_what_cannot_be_launched_now_is_named_with_its_reason(facts, code, told):
    group = held(2)
    server = group.members.order_by("pk").first().server
    SourceServer.objects.filter(pk=server.pk).update(**facts)
    (row,) = found(wave(group)).findings
    assert (row.code, row.level) == (code, CheckLevel.WARNING)
    assert server.name in row.message
    assert told in row.message


def test_what_was_listed_too_long_ago_is_unknown():
    group = held()
    AccountRegion.objects.update(listed_at=timezone.now() - timedelta(hours=2))
    assert codes(found(wave(group))) == [(1, "readiness_unknown")]


@pytest.mark.parametrize(
    ("lag", "rpo", "code"),
    [
        (timedelta(hours=1), timedelta(minutes=30), "lagging_beyond_rpo"),
        (timedelta(minutes=30), timedelta(minutes=30), None),
        (None, timedelta(minutes=30), "lag_unknown"),
        (timedelta(hours=9), None, None),
    ],
)
def test_the_rpo_is_compared_with_the_lag(lag, rpo, code):
    group = held(1, lag=lag)
    assert codes(found(wave(group), rpo=rpo)) == ([(1, code)] if code else [])


def test_launch_settings_at_any_level_count_but_not_empty_ones():
    group = held(2)
    first, second = (member.server for member in group.members.order_by("pk"))
    LaunchSettings.objects.create(level=SettingsLevel.GROUP, group=group, values={})
    (row,) = check(wave(group)).findings
    assert row.code == "no_launch_settings"
    LaunchSettings.objects.create(
        level=SettingsLevel.SERVER, group=group, server=first, values={"name": "x"}
    )
    (row,) = check(wave(group)).findings
    assert second.name in row.message
    assert first.name not in row.message
    only = GroupServers(group.pk, (first.server_id,))
    assert codes(check(wave(group, group_servers=(only,)))) == []
    LaunchSettings.objects.filter(level=SettingsLevel.GROUP).update(values={"copyTags": True})
    assert codes(check(wave(group))) == []


def test_servers_that_an_execution_holds_are_told_but_not_the_plans_own():
    group = held(2)
    server = group.members.first().server
    execution = ExecutionFactory.create(plan=plan_of(group, name="Other"))
    claim = ServerClaim.objects.create(
        execution=execution,
        account_id=server.account.account_id,
        region=server.region,
        server_id=server.server_id,
    )
    (row,) = found(wave(group), user=SuperuserFactory.create()).findings
    assert row.code == "held_by_execution"
    assert str(execution.pk) in row.message
    assert server.name in row.message
    (hidden,) = found(wave(group)).findings
    assert "Other" not in hidden.message
    assert str(execution.pk) not in hidden.message
    assert codes(found(wave(group), plan=execution.plan)) == []
    claim.region = "eu-west-1"
    claim.save()
    assert codes(found(wave(group))) == []  # another server, of the same id


def test_chosen_servers_that_left_their_group_are_told_on_the_plans_page():
    group = held(2)
    gone = group.members.first().server
    plan = plans.create(
        name="Plan",
        waves=[wave(group, group_servers=(GroupServers(group.pk, (gone.server_id,)),))],
        actor=PERSON,
    )
    group.members.filter(server=gone).delete()
    told = codes(plan_checks.of_plan(plan, user=NOBODY))
    assert (1, "chosen_servers_gone") in told
    assert (1, "server_not_in_group") in told


@pytest.mark.parametrize(
    ("threshold", "optional", "code"),
    [
        (80, 0, "threshold_without_effect"),
        (100, 1, "optional_without_effect"),
        (76, 1, "optional_without_effect"),
        (75, 1, None),
        (100, 0, None),
    ],
)
def test_a_threshold_and_optional_servers_only_count_together(threshold, optional, code):
    group = held(4)
    ids = tuple(member.server.server_id for member in group.members.all()[:optional])
    said = wave(
        group,
        success_threshold=threshold,
        group_servers=(GroupServers(group.pk, (), ids),) if ids else (),
    )
    assert codes(found(said)) == ([(1, code)] if code else [])


# More than DRS takes at once (D40): waves that can run at the same time, in one account and Region.


@pytest.fixture
def big():
    """Groups of 300 servers: two in one account and Region, one in another Region."""
    account = TargetAccountFactory.create()
    return [
        held(300, account=account),
        held(300, account=account),
        held(300, account=account, region="eu-west-1"),
    ]


def test_waves_that_can_run_at_once_count_together(big):
    (row,) = found(wave(big[0]), wave(big[1])).findings
    assert (row.code, row.level) == ("queued", CheckLevel.WARNING)
    assert "Waves 1, 2 can launch 600 servers at once" in row.message
    assert "6 jobs; 1 wait" in row.message


def test_waves_in_sequence_do_not(big):
    """D40: the reference adds up waves that never run together."""
    assert codes(found(wave(big[0]), wave(big[1], depends_on=(1,)))) == []


def test_neither_do_other_regions(big):
    """D40: the reference adds up Regions, whose quotas are their own."""
    assert codes(found(wave(big[0]), wave(big[2]))) == []
    assert codes(found(wave(big[0], big[2]))) == []


def test_more_than_20_jobs_wait_too():
    account = TargetAccountFactory.create()
    waves = [wave(held(1, account=account)) for _ in range(22)]
    (row,) = found(*waves).findings
    assert "22 jobs; 2 wait" in row.message


def test_a_plan_of_more_than_the_quota_is_saved_all_the_same(big):
    plan = plans.create(name="Big", waves=[wave(big[0]), wave(big[1])], actor=PERSON)
    assert codes(plan_checks.of_plan(plan, user=NOBODY))[-1][1] == "queued"


# The questions behind the checks.


def test_the_servers_of_many_groups_are_those_of_each():
    """One matcher: what is resolved together is what `servers_chosen` says one by one."""
    account = TargetAccountFactory.create()
    SourceServerFactory.create_batch(3, account=account, tags={"Tier": "db", "Env": "prod"})
    SourceServerFactory.create(account=account, tags={"Tier": "db"})
    SourceServerFactory.create(account=account, tags={"Tier": "DB"})
    SourceServerFactory.create(account=account, region="eu-west-1", tags={"Tier": "db"})
    groups = [
        held(2),
        ProtectionGroupFactory.create(account=account, tags={"Tier": "db"}),
        ProtectionGroupFactory.create(account=account, tags={"Tier": "db", "Env": "prod"}),
        ProtectionGroupFactory.create(account=account, tags={"Tier": "none"}),
    ]
    together = servers_by_group(group.pk for group in groups)
    assert together == {group.pk: list(servers_chosen(group)) for group in groups}
    assert [len(together[group.pk]) for group in groups] == [2, 4, 3, 0]


def test_many_waves_cost_what_one_costs():
    def cost(count):
        waves = [wave(held(2)) for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            check(*waves)
        return len(queries)

    assert cost(1) == cost(30)


def test_a_hold_counts_only_for_servers_that_the_plan_launches():
    group = held(2, tags={"Tier": "db"})
    server, other = (member.server for member in group.members.order_by("pk"))
    by_tag = ProtectionGroupFactory.create(account=group.account, tags={"Tier": "db"})
    first = held()
    all_of_it, running = plan_of(first, by_tag), plan_of(group)
    chosen = plans.create(
        name="Chosen",
        waves=[wave(group, group_servers=(GroupServers(group.pk, (other.server_id,)),))],
        actor=PERSON,
    )
    ServerClaim.objects.create(
        execution=ExecutionFactory.create(plan=running),
        account_id=server.account.account_id,
        region=server.region,
        server_id=server.server_id,
    )
    found_holds = holds_by_plan()
    assert set(found_holds) == {all_of_it.pk}  # D34: through its second wave's group, by tag
    assert [hold.server_id for hold in found_holds[all_of_it.pk]] == [server.server_id]
    assert holds_by_plan([chosen.pk]) == {}
    ServerClaim.objects.update(released_at=timezone.now())
    assert holds_by_plan() == {}


def test_instances_where_nobody_listed_are_unknown_not_none():
    """D47: what is not known, or known since long ago, is never "there is none"."""
    group = held()
    server = group.members.get().server
    rows = AccountRegion.objects.filter(account=server.account, region=server.region)
    assert existing_instances([server]).any is None
    rows.update(instances_listed_at=timezone.now(), instance_count=0, instance_status="ACTIVE")
    assert existing_instances([server]).any is False
    rows.update(instance_status="THROTTLED")
    assert existing_instances([server]).any is None
    long_ago = timezone.now() - timedelta(hours=2)
    rows.update(instance_status="ACTIVE", instances_listed_at=long_ago)
    assert existing_instances([server]).any is None
