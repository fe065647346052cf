"""The inventory of all accounts, by what servers are."""

import json

import pytest

from protection.models import TargetAccount
from tests.factories.protection import SourceServerFactory, TargetAccountFactory
from tests.factories.users import UserFactory, grant
from tests.worlds import EAST, NORTH, WEST

pytestmark = pytest.mark.django_db(transaction=True)
INVENTORY = "/api/v1/drs/source-server-inventory"


@pytest.fixture
def account(db) -> TargetAccount:
    return TargetAccountFactory.create(account_id=NORTH)


def by_name(answer) -> dict[str, dict]:
    assert answer.status_code == 200, answer.content
    return {each["hostname"].split(".")[0]: each for each in answer.json()["servers"]}


@pytest.fixture
def estate(account: TargetAccount) -> TargetAccount:
    made = {"account": account, "tags": {}}
    SourceServerFactory.create(
        **made, name="big", cpu_cores=16, ram_bytes=64 * 2**30, staging_account_id="333300000001"
    )
    SourceServerFactory.create(
        **made,
        name="small",
        cpu_cores=2,
        ram_bytes=4 * 2**30,
        region=WEST,
        replication_state="STALLED",
        origin_account_id="444455556666",
    )
    SourceServerFactory.create(**made, name="unsized", cpu_cores=None, ram_bytes=None)
    return account


FILTERS = [
    ({}, {"big", "small", "unsized"}),
    ({"hostname": "SMA"}, {"small"}),
    ({"replicationState": "STALLED"}, {"small"}),
    ({"stagingAccountId": "333300000001"}, {"big"}),
    ({"sourceAccountId": "444455556666"}, {"small"}),
    ({"minCpuCores": "4"}, {"big"}),
    ({"minCpuCores": "2"}, {"big", "small"}),
    ({"minRamBytes": str(5 * 2**30)}, {"big"}),
    ({"minCpuCores": "2", "replicationState": "CONTINUOUS"}, {"big"}),
    ({"hostname": "nothing"}, set()),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_every_filter_chooses(root, estate, filters, expected):
    """D11 of the reference: its filters looked where nothing was, and never matched."""
    one_by_one = root.get(INVENTORY, filters)
    assert set(by_name(one_by_one)) == expected
    assert one_by_one.json()["total_count"] == one_by_one.json()["count"] == len(expected)
    together = root.get(INVENTORY, {"filters": json.dumps(filters)})
    assert set(by_name(together)) == expected


def test_numbers_in_filters_may_be_numbers(root, estate):
    assert set(by_name(root.get(INVENTORY, {"filters": '{"minCpuCores": 4}'}))) == {"big"}


def test_servers_of_unknown_size_are_said_to_be_left_out(root, estate):
    assert root.get(INVENTORY, {"minCpuCores": "1"}).json()["undecided"] == 1
    assert root.get(INVENTORY, {}).json()["undecided"] == 0


def test_regions_and_accounts_choose_too(root, estate):
    SourceServerFactory.create(name="other")
    assert set(by_name(root.get(INVENTORY, {"region": WEST}))) == {"small"}
    assert set(by_name(root.get(INVENTORY, {"regions": f"{WEST}, {EAST}"}))) >= {"small", "other"}
    assert "other" not in by_name(root.get(INVENTORY, {"accountId": NORTH}))
    where = root.get(INVENTORY, {"accountId": NORTH}).json()["regions"]
    assert {(each["account_id"], each["region"]) for each in where} == {
        (NORTH, EAST),
        (NORTH, WEST),
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"minCpuCores": "-1"},
        {"minCpuCores": "many"},
        {"minRamBytes": "9" * 30},
        {"filters": "{"},
        {"filters": "[]"},
        {"filters": '{"minCpuCores": true}'},
        {"filters": '{"unknown": "x"}'},
        {"filters": '{"hostname": "a\\u0000"}'},
        {"filters": '{"hostname": "a"}', "hostname": "b"},
        {"hostname": "a\x00"},
        {"nonsense": "x"},
    ],
)
def test_a_bad_filter_is_refused(root, estate, parameters):
    answer = root.get(INVENTORY, parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_the_inventory_holds_what_one_may_see(client_of, estate):
    other = SourceServerFactory.create(name="other")
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=other.account)
    assert set(by_name(client_of(person).get(INVENTORY))) == {"other"}
    assert by_name(client_of(UserFactory.create()).get(INVENTORY)) == {}
    refused = client_of(person).get(INVENTORY, {"accountId": NORTH})
    assert refused.status_code == 404
