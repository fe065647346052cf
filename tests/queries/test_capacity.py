"""How full accounts and Regions are, when AWS answers and when it does not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drportal.actor import PORTAL
from drportal.aws.drs import Drs
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import CapacityState, Measure, RegionStatus
from protection.models import AccountRegion, SourceServer, TargetAccount
from protection.rules.capacity import Count
from protection.services import inventory
from queries.capacity import EXTENDED, LIVE, AccountCapacity, Capacity, Place, capacity_of
from queries.capacity import capacity_seen as seen
from tests.factories.protection import AccountRegionFactory, TargetAccountFactory
from tests.factories.users import SuperuserFactory, UserFactory, grant
from tests.queries.worlds import STAGING, extended, staged, world_with_staging
from tests.worlds import EAST, NORTH, SOUTH, WEST, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)

REPLICATING, TOTAL, JOBS = (
    Measure.REPLICATING_SERVERS,
    Measure.SOURCE_SERVERS,
    Measure.CONCURRENT_JOBS,
)


def of(found: Capacity, account_id: str) -> AccountCapacity:
    [one] = [each for each in found.accounts if each.account_id == account_id]
    return one


def place(account: AccountCapacity, region: str = EAST) -> Place:
    [one] = [each for each in account.places if each.region == region]
    return one


def count(where: Place, measure: Measure = REPLICATING) -> Count:
    return where.gauge(measure).held.count


def everything() -> Capacity:
    return seen(SuperuserFactory.create())


def listed(region: str, **columns: object) -> None:
    """Change what is known of a Region of NORTH."""
    rows = AccountRegion.objects.filter(account__account_id=NORTH, region=region)
    assert rows.update(**columns) == 1


def test_servers_are_counted_where_they_are_and_jobs_as_of_now(aws):
    world_of(
        [
            server("web-1"),
            server("web-2", replication={"state": "DISCONNECTED"}),
            server("web-3", region=WEST),
            server("db-1", account=SOUTH),
        ]
    )
    north = registered()[NORTH]
    ids = list(SourceServer.objects.filter(name="web-1").values_list("server_id", flat=True))
    job = Drs(north.scope(EAST)).start_recovery(ids, drill=True)
    found = of(everything(), NORTH)
    east = place(found)
    assert (count(east), count(east, TOTAL)) == (Count(1), Count(2))
    assert count(east, JOBS) == Count(1)
    assert count(east, Measure.SERVERS_IN_JOBS) == Count(1)
    assert (count(east, Measure.SERVERS_PER_JOB), east.largest_job_id) == (Count(1), job.job_id)
    assert count(place(found, WEST)) == Count(1)
    assert count(place(found, WEST), JOBS) == Count(0)
    assert (found.replicating, found.source_servers) == (Count(2), Count(3))
    assert (found.state, found.at_least) == (CapacityState.OK, False)
    assert all(gauge.quota.told for each in found.places for gauge in each.gauges)


def test_a_job_that_ended_does_not_count(aws):
    world_of([server("web-1")])
    north = registered()[NORTH]
    ids = list(SourceServer.objects.values_list("server_id", flat=True))
    Drs(north.scope(EAST)).start_recovery(ids, drill=True)
    world.clock.advance(timedelta(minutes=45))  # type: ignore[attr-defined]  # a manual clock
    assert count(place(of(everything(), NORTH)), JOBS) == Count(0)


def test_each_region_has_quotas_of_its_own_and_limits_are_not_added_up_over_regions(aws):
    """D39 of the reference: jobs of all Regions were held against the quota of one."""
    world_of([server("web-1"), server("web-2", region=WEST), server("db-1", account=SOUTH)])
    registered()
    found = everything()
    [east] = [each for each in found.regions if each.region == EAST]
    assert (east.accounts, east.replicating, east.replicating_limits) == (3, Count(2), 900)
    assert east.source_server_limits == 12_000
    for account in found.accounts:
        for each in account.places:
            assert each.gauge(REPLICATING).held.limit == 300
            assert each.gauge(JOBS).held.limit == 20
    assert not hasattr(found, "limit")


def test_an_extended_server_counts_in_its_staging_account(aws):
    world_with_staging(
        [server("web-1"), staged("app-1"), staged("app-2")],
        extensions=[extended("app-1"), extended("app-2")],
    )
    north = registered()[NORTH]
    found = capacity_of(north)
    assert count(place(of(found, NORTH))) == Count(1)
    assert count(place(of(found, NORTH)), TOTAL) == Count(3)


def test_a_staging_account_is_read_by_its_own_role_with_an_age(aws, staging_of):
    world_with_staging(
        [staged("app-1"), staged("app-2"), staged("app-3")], extensions=[extended("app-1")]
    )
    north = registered()[NORTH]
    staging_of(STAGING, north)
    before = timezone.now()
    found = of(capacity_of(north), STAGING)
    east = place(found)
    assert (east.source, count(east), count(east, TOTAL)) == (LIVE, Count(3), Count(3))
    assert east.as_of is not None
    assert east.as_of >= before
    assert found.serves == (NORTH,)
    assert (found.is_target, found.pk) == (False, None)
    assert [each.region for each in found.places] == [EAST], "WEST answers that it has no DRS"
    assert {call.account for call in world.calls.matching(operation="ListServiceQuotas")} >= {
        STAGING
    }


@pytest.mark.parametrize("kind", [Kind.ACCESS_DENIED, Kind.THROTTLE, Kind.UNREACHABLE])
def test_a_staging_account_that_does_not_answer_holds_at_least_what_is_extended(
    aws, staging_of, kind
):
    world_with_staging(
        [staged("app-1"), staged("app-2"), staged("app-3")],
        extensions=[extended("app-1"), extended("app-2")],
    )
    north = registered()[NORTH]
    staging_of(STAGING, north)
    world.faults.add(Fault(kind, account=STAGING, service="drs"))
    east = place(of(capacity_of(north), STAGING))
    assert east.source == EXTENDED
    assert (count(east).value, count(east).complete) == (2, False)
    assert (count(east, TOTAL).value, count(east, TOTAL).complete) == (2, False)
    assert east.state == CapacityState.UNKNOWN
    assert "could not be read" in count(east).missing[0]


def test_one_server_extended_to_two_targets_is_one(aws):
    """The least that there can be: counts of several targets are not added up."""
    world_with_staging([staged("app-1")], extensions=[extended("app-1"), extended("app-1", SOUTH)])
    registered()
    found = of(everything(), STAGING)
    assert count(place(found)).value == 1
    assert not count(place(found)).complete
    assert "knows no role" in count(place(found)).missing[0]
    assert found.serves == (NORTH, SOUTH)


def test_a_staging_account_that_is_a_target_counts_its_own_inventory_once(aws):
    world_of(
        [server("app-1", account=SOUTH), server("app-2", account=SOUTH)],
        extensions=[{"target": NORTH, "region": EAST, "stagingAccount": SOUTH, "server": "app-1"}],
    )
    registered()
    found = everything()
    assert len([each for each in found.accounts if each.account_id == SOUTH]) == 1
    assert count(place(of(found, SOUTH))) == Count(2)
    assert of(found, SOUTH).serves == (NORTH,)
    assert of(found, SOUTH).is_target
    assert found.replicating == Count(2)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.ACCESS_DENIED, RegionStatus.IAM_PERMISSION_DENIED),
        (Kind.THROTTLE, RegionStatus.THROTTLED),
        (Kind.UNREACHABLE, RegionStatus.ENDPOINT_UNREACHABLE),
    ],
)
def test_a_region_that_does_not_answer_keeps_its_count_and_is_a_least(aws, kind, status):
    """D23, D24 and D39 of the reference: a failure was a Region of no servers."""
    world_of([server(f"web-{number}") for number in range(3)])
    north = registered()[NORTH]
    world.faults.add(Fault(kind, account=NORTH, region=EAST, service="drs"))
    inventory.sync(actor=PORTAL)
    found = of(capacity_of(north), NORTH)
    east = place(found)
    assert east.status == status
    assert (count(east).value, count(east).complete) == (3, False)
    assert count(east, JOBS) == Count(None, count(east, JOBS).missing)
    assert (east.state, east.at_least, found.state) == (
        CapacityState.UNKNOWN,
        True,
        CapacityState.UNKNOWN,
    )
    assert (found.replicating.value, found.replicating.complete) == (3, False)
    whole = capacity_of(north)
    assert any(f"{NORTH}: {EAST} does not answer" in line for line in whole.missing)
    assert any("jobs could not be read" in line for line in whole.missing)


def test_a_region_that_was_never_listed_is_unknown_and_not_zero(aws):
    world_of([server("web-1")])
    world.faults.add(Fault(Kind.ACCESS_DENIED, account=NORTH, region=WEST, service="drs"))
    north = registered()[NORTH]
    found = of(capacity_of(north), NORTH)
    west = place(found, WEST)
    assert (count(west).value, count(west, TOTAL).value) == (None, None)
    assert west.state == CapacityState.UNKNOWN
    assert (found.replicating.value, found.replicating.complete) == (1, False)


def test_a_region_that_was_never_asked_is_silent(aws):
    world_of([])
    account = TargetAccountFactory.create()
    found = of(capacity_of(account), account.account_id)
    assert found.silent == (EAST, WEST)
    assert found.places == ()
    assert (found.replicating.value, found.state) == (None, CapacityState.UNKNOWN)


def test_where_drs_is_not_used_there_is_nothing_and_that_is_known(aws):
    world_of([])
    account = TargetAccountFactory.create()
    for region in (EAST, WEST):
        AccountRegionFactory.create(
            account=account,
            region=region,
            status=RegionStatus.NOT_INITIALIZED,
            server_count=None,
            listed_at=None,
        )
    found = of(capacity_of(account), account.account_id)
    assert (found.silent, found.places) == ((), ())
    assert (found.replicating, found.state) == (Count(0), CapacityState.OK)
    AccountRegion.objects.update(checked_at=timezone.now() - timedelta(hours=5))
    assert of(capacity_of(account), account.account_id).silent == (EAST, WEST)


def test_what_was_not_listed_lately_is_a_least(aws):
    world_of([server("web-1")])
    north = registered()[NORTH]
    listed(EAST, listed_at=timezone.now() - timedelta(hours=3))
    east = place(of(capacity_of(north), NORTH))
    assert (count(east).value, count(east).complete) == (1, False)
    assert east.state == CapacityState.UNKNOWN


def test_without_service_quotas_the_documented_values_stand_in_and_say_so(aws):
    world_of([server("web-1")], quotas={"total_servers": 5000})
    north = registered()[NORTH]
    world.faults.add(Fault(Kind.ACCESS_DENIED, service="servicequotas"))
    east = place(of(capacity_of(north), NORTH))
    assert "not authorized" in east.quotas_problem
    assert not any(gauge.quota.told for gauge in east.gauges)
    assert east.gauge(TOTAL).held.limit == 4000
    world.faults.clear()
    mended = place(of(capacity_of(north), NORTH))
    assert (mended.quotas_problem, mended.gauge(TOTAL).held.limit) == ("", 5000)


def test_jobs_are_asked_of_aws_at_most_every_30_seconds_unless_one_insists(aws):
    world_of([server("web-1")])
    north = registered()[NORTH]
    first = place(of(capacity_of(north), NORTH)).jobs_as_of
    asked = world.calls.count(operation="DescribeJobs")
    assert place(of(capacity_of(north), NORTH)).jobs_as_of == first
    assert world.calls.count(operation="DescribeJobs") == asked
    again = place(of(capacity_of(north, fresh=True), NORTH)).jobs_as_of
    assert world.calls.count(operation="DescribeJobs") == 2 * asked
    assert first is not None
    assert again is not None
    assert again > first


def test_a_failure_is_not_kept(aws):
    world_of([server("web-1")])
    north = registered()[NORTH]
    fault = world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobs"))
    assert count(place(of(capacity_of(north), NORTH)), JOBS).value is None
    world.faults.remove(fault.id)
    assert count(place(of(capacity_of(north), NORTH)), JOBS) == Count(0)


def test_nothing_but_reading_is_asked_of_aws(aws, staging_of):
    world_with_staging([server("web-1"), staged("app-1")])
    north = registered()[NORTH]
    staging_of(STAGING, north)
    before = len(world.calls.matching())
    capacity_of(north, fresh=True)
    made = {call.operation for call in world.calls.matching()[before:]}
    assert made <= {
        "DescribeJobs",
        "ListServiceQuotas",
        "DescribeSourceServers",
        "AssumeRole",
        "GetCallerIdentity",
    }


def test_one_sees_ones_own_accounts_and_what_they_use(aws):
    world_with_staging(
        [server("web-1"), staged("app-1"), server("db-1", account=SOUTH)],
        extensions=[extended("app-1")],
    )
    made = registered()
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=made[NORTH])
    assert {each.account_id for each in seen(person).accounts} == {NORTH, STAGING}
    assert seen(UserFactory.create()).accounts == ()
    assert seen(UserFactory.create()).state == CapacityState.UNKNOWN


def test_an_account_that_is_not_seen_is_not_counted_in_a_region(aws):
    world_of([server("web-1"), server("db-1", account=SOUTH)])
    made = registered()
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=made[NORTH])
    [east] = [each for each in seen(person).regions if each.region == EAST]
    assert (east.accounts, east.replicating, east.replicating_limits) == (1, Count(1), 300)


def test_a_server_that_drs_no_longer_lists_does_not_count(aws):
    world_of([server("web-1"), server("web-2")])
    north = registered()[NORTH]
    SourceServer.objects.filter(name="web-2").update(gone_at=timezone.now())
    assert count(place(of(capacity_of(north), NORTH)), TOTAL) == Count(1)


def test_accounts_without_a_region_are_named_in_the_total(aws):
    world_of([server("web-1")])
    registered()
    TargetAccountFactory.create(account_id="999900000001")
    found = everything()
    assert (found.replicating.value, found.replicating.complete) == (1, False)
    assert any(line.startswith("999900000001") for line in found.missing)
    assert TargetAccount.objects.count() == len(found.accounts)


def test_a_staging_account_of_which_nothing_is_known_is_unknown_and_not_zero(aws, staging_of):
    world_with_staging([server("web-1"), staged("app-1")])
    north = registered()[NORTH]
    staging_of(STAGING, north)
    world.faults.add(Fault(Kind.ACCESS_DENIED, account=STAGING, service="drs"))
    found = of(capacity_of(north), STAGING)
    assert [count(each).value for each in found.places] == [None, None]
    assert found.state == CapacityState.UNKNOWN
