"""Capacity over HTTP: what it shows, to whom, and what it costs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import TargetAccount
from queries.live import Question, Told
from tests.factories.protection import AccountRegionFactory, SourceServerFactory
from tests.factories.users import UserFactory, grant
from tests.worlds import EAST, NORTH, SOUTH, WEST, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)
ALL, QUOTAS = "/api/v1/accounts/capacity/all", "/api/v1/drs/quotas"


def one(account: object) -> str:
    return f"/api/v1/accounts/targets/{account}/capacity"


PATHS = [one(NORTH), ALL, f"{QUOTAS}?accountId={NORTH}"]


@pytest.fixture
def made(aws, db) -> dict[str, TargetAccount]:
    world_of([server("web-1"), server("web-2", region=WEST), server("db-1", account=SOUTH)])
    return registered()


def gauges(place: dict) -> dict[str, dict]:
    return {each["measure"]: each for each in place["gauges"]}


def test_an_account_by_either_of_its_names(root, made):
    by_digits, by_id = (root.get(one(name)) for name in (NORTH, made[NORTH].pk))
    assert by_digits.status_code == by_id.status_code == 200
    [account] = by_digits.json()["accounts"]
    assert (account["account_id"], account["account_type"]) == (NORTH, "target")
    assert [each["region"] for each in account["regions"]] == [EAST, WEST]
    found = gauges(account["regions"][0])
    assert found["REPLICATING_SERVERS"] == {
        "measure": "REPLICATING_SERVERS",
        "count": {"value": 1, "complete": True, "missing": []},
        "limit": 300,
        "limit_source": "SERVICE_QUOTAS",
        "percent_used": 0.3,
        "available_slots": 299,
        "status": "OK",
    }
    assert set(found) == {
        "REPLICATING_SERVERS",
        "SOURCE_SERVERS",
        "CONCURRENT_JOBS",
        "SERVERS_IN_JOBS",
        "SERVERS_PER_JOB",
    }


def test_all_accounts_and_no_limit_over_regions(root, made):
    """D22 and D39 of the reference: one limit per account, or the sum of all, judged by itself."""
    said = root.get(ALL).json()
    assert {each["account_id"] for each in said["accounts"]} == set(made)
    assert said["replicating_servers"] == {"value": 3, "complete": True, "missing": []}
    assert not [name for name in said if "max" in name or "limit" in name or "percent" in name]
    east = next(each for each in said["regional_capacity"] if each["region"] == EAST)
    assert (east["account_count"], east["max_replicating"]) == (3, 900)
    assert east["replicating_servers"]["value"] == 2


def test_what_is_missing_is_in_the_answer(root, made):
    world.faults.add(Fault(Kind.THROTTLE, operation="DescribeJobs", account=NORTH))
    world.faults.add(Fault(Kind.ACCESS_DENIED, service="servicequotas", account=NORTH))
    said = root.get(one(NORTH)).json()
    assert (said["status"], said["at_least"]) == ("UNKNOWN", True)
    assert any("jobs could not be read" in each for each in said["warnings"])
    place = said["accounts"][0]["regions"][0]
    assert "Rate exceeded" in place["jobs_problem"]
    assert "not authorized" in place["quotas_problem"]
    assert gauges(place)["CONCURRENT_JOBS"]["count"]["value"] is None
    assert gauges(place)["CONCURRENT_JOBS"]["limit_source"] == "DOCUMENTED"


def test_quotas_are_per_region(root, made):
    """Of the reference: it read the jobs of one Region and called them the account's."""
    everywhere = root.get(QUOTAS, {"accountId": NORTH}).json()
    assert [each["region"] for each in everywhere["regions"]] == [EAST, WEST]
    [west] = root.get(QUOTAS, {"accountId": NORTH, "region": WEST}).json()["regions"]
    assert (west["region"], gauges(west)["SOURCE_SERVERS"]["count"]["value"]) == (WEST, 1)


def test_quotas_of_a_region_without_drs_are_refused(root, made):
    made[NORTH].regions.filter(region=WEST).update(
        status="NOT_INITIALIZED", server_count=None, listed_at=None
    )
    answer = root.get(QUOTAS, {"accountId": NORTH, "region": WEST})
    assert (answer.status_code, answer.json()["error"]) == (400, "DRS_NOT_INITIALIZED")


def test_one_sees_the_capacity_of_ones_accounts(client_of, made):
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=made[NORTH])
    client = client_of(person)
    assert [each["account_id"] for each in client.get(ALL).json()["accounts"]] == [NORTH]
    assert client.get(one(NORTH)).status_code == 200
    assert client.get(QUOTAS).json()["account_id"] == NORTH
    for path in (one(SOUTH), one(made[SOUTH].pk), f"{QUOTAS}?accountId={SOUTH}"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert AuditRecord.objects.latest("id").outcome == "REFUSED"


def test_who_may_nothing_sees_nothing_and_no_zero(client_of, made):
    client = client_of(UserFactory.create())
    said = client.get(ALL).json()
    assert (said["accounts"], said["status"]) == ([], "UNKNOWN")
    assert said["replicating_servers"]["value"] is None
    assert client.get(one(NORTH)).status_code == 404
    assert client.get(QUOTAS).status_code == 400


def test_secrets_are_in_no_answer(root, made):
    for path in PATHS:
        assert b"a-shared-word" not in root.get(path).content


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_but_get(root, made, path, method):
    assert getattr(root, method)(path).status_code == 405


@pytest.mark.parametrize("path", [one("nonsense"), one("12345"), one("0" * 12)])
def test_what_there_is_not_is_not_found(root, made, path):
    assert root.get(path).status_code == 404


def test_fifty_accounts_cost_the_queries_of_one(root, monkeypatch):
    monkeypatch.setattr("queries.capacity.live.ask", _silence)

    def more() -> None:
        row = AccountRegionFactory.create()
        SourceServerFactory.create(account=row.account)
        SourceServerFactory.create(account=row.account, staging_account_id="333300000001")

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            answer = root.get(path)
        assert answer.status_code == 200
        return len(queries)

    more()
    root.get(ALL)
    few = cost(ALL)
    for _ in range(49):
        more()
    assert TargetAccount.objects.count() == 50
    assert cost(ALL) == few


def _silence(questions: list[Question], **_: object) -> dict:
    return {each.key: Told(None, timezone.now(), problem="silent") for each in questions}
