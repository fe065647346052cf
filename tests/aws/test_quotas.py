"""What Service Quotas tells of DRS, and that the documented values stand in where it does not."""

import pytest

from drportal.aws.limits import DOCUMENTED, QuotaCode
from drportal.aws.quotas import DrsQuotas, Quota, documented_quotas, drs_quotas
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, WriteRefused, client
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.worlds import EAST, EXTERNAL_ID, NORTH, WEST, role, world_of

SCOPE = Scope(Account(NORTH, role(NORTH), EXTERNAL_ID), EAST)
WHOLE = {
    "replicating_servers": QuotaCode.REPLICATING_SERVERS,
    "source_servers": QuotaCode.SOURCE_SERVERS,
    "servers_per_job": QuotaCode.SERVERS_PER_JOB,
    "concurrent_jobs": QuotaCode.CONCURRENT_JOBS,
    "servers_in_jobs": QuotaCode.SERVERS_IN_JOBS,
}


def _all_documented(found: DrsQuotas) -> bool:
    return all(
        getattr(found, name) == Quota(DOCUMENTED[code], told=False) for name, code in WHOLE.items()
    )


def test_service_quotas_is_believed(aws) -> None:
    world_of([], quotas={"total_servers": 5000})
    found = drs_quotas(SCOPE)
    assert found.problem == ""
    assert found.source_servers == Quota(5000, told=True)
    assert found.replicating_servers == Quota(300, told=True)
    assert all(getattr(found, name).told for name in WHOLE)


def test_every_page_is_read(aws) -> None:
    world_of([], quotas={"servers_in_jobs": 501}, settings={"default_page_size": 2})
    found = drs_quotas(SCOPE)
    assert found.servers_in_jobs == Quota(501, told=True)
    assert world.calls.count(operation="ListServiceQuotas") == 4


def test_it_is_asked_in_the_account_and_region_that_are_meant(aws) -> None:
    world_of([])
    drs_quotas(Scope(SCOPE.account, WEST))
    [call] = world.calls.matching(operation="ListServiceQuotas")
    assert (call.account, call.region, call.params["ServiceCode"]) == (NORTH, WEST, "drs")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Kind.THROTTLE, "TooManyRequestsException"),
        (Kind.ACCESS_DENIED, "not authorized"),
        (Kind.SERVER_ERROR, "ServiceException"),
        (Kind.UNREACHABLE, "cannot be reached"),
    ],
)
def test_without_an_answer_the_documented_values_stand_in(aws, monkeypatch, kind, told) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", _at_once)
    world_of([])
    world.faults.add(Fault(kind, service="servicequotas"))
    found = drs_quotas(SCOPE)
    assert _all_documented(found)
    assert told in found.problem


def _at_once(*_: object) -> float:
    return 0


def test_a_role_that_cannot_be_assumed_tells_nothing_either(aws) -> None:
    world_of([])
    found = drs_quotas(Scope(Account(NORTH, role(NORTH), "wrong"), EAST))
    assert _all_documented(found)
    assert "not authorized" in found.problem


def test_nobody_asked_is_said(aws) -> None:
    found = documented_quotas("it was not asked")
    assert _all_documented(found)
    assert found.problem == "it was not asked"


def _answer(monkeypatch, *quotas: object) -> None:
    monkeypatch.setattr(
        "drportal.aws.session.pages", lambda *_, **__: iter([{"Quotas": list(quotas)}])
    )


def test_a_quota_that_service_quotas_could_not_read_is_the_documented_one(aws, monkeypatch):
    world_of([])
    _answer(
        monkeypatch,
        {
            "QuotaCode": "L-C1D14A2B",
            "ErrorReason": {"ErrorCode": "DEPENDENCY_ACCESS_DENIED_ERROR"},
        },
        {"QuotaCode": "L-E28BE5E0", "Value": 3000.0},
        {"QuotaCode": "L-00000000", "Value": 7.0},
    )
    found = drs_quotas(SCOPE)
    assert found.replicating_servers == Quota(300, told=False)
    assert found.source_servers == Quota(3000, told=True)
    assert found.concurrent_jobs == Quota(20, told=False)


@pytest.mark.parametrize("broken", [{"Value": 1.0}, {"QuotaCode": "L-E28BE5E0", "Value": "many"}])
def test_an_answer_that_cannot_be_read_tells_nothing(aws, monkeypatch, broken) -> None:
    world_of([])
    _answer(monkeypatch, {"QuotaCode": "L-D88FAC3A", "Value": 19.0}, broken)
    found = drs_quotas(SCOPE)
    assert _all_documented(found)
    assert "cannot be read" in found.problem


def test_a_client_for_reading_asks_for_no_increase(aws) -> None:
    world_of([])
    with pytest.raises(WriteRefused):
        client("service-quotas", Use.READ, SCOPE).request_service_quota_increase(
            ServiceCode="drs", QuotaCode="L-E28BE5E0", DesiredValue=9999.0
        )
