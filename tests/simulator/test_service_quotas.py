"""What Service Quotas says of DRS in the simulated AWS."""

import pytest
from botocore.exceptions import ClientError

from drportal.simulator.world import world
from tests.simulated_aws import InProcess, OverHTTP, healthy


def test_the_settings_are_what_it_tells(aws: InProcess) -> None:
    aws.load(healthy(1) | {"quotas": {"concurrent_jobs": 7}})
    asked = aws.client("service-quotas")
    listed = asked.list_service_quotas(ServiceCode="drs")["Quotas"]
    values = {each["QuotaCode"]: each["Value"] for each in listed}
    assert values["L-D88FAC3A"] == 7.0
    assert values["L-C1D14A2B"] == 300.0
    one = asked.get_service_quota(ServiceCode="drs", QuotaCode="L-D88FAC3A")["Quota"]
    assert (one["Value"], one["Adjustable"], one["GlobalQuota"]) == (7.0, False, False)


def test_pages_follow_each_other(aws: InProcess) -> None:
    aws.load(healthy(1))
    asked = aws.client("service-quotas")
    pages = list(
        asked.get_paginator("list_service_quotas").paginate(
            ServiceCode="drs", PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["Quotas"]) for page in pages] == [3, 3, 2]
    codes = [each["QuotaCode"] for page in pages for each in page["Quotas"]]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"ServiceCode": "drs", "QuotaCode": "L-00000000"}, "NoSuchResourceException"),
        ({"ServiceCode": "other", "QuotaCode": "L-00000000"}, "NoSuchResourceException"),
    ],
)
def test_what_there_is_not_is_refused(aws: InProcess, arguments: dict[str, str], code: str) -> None:
    aws.load(healthy(1))
    with pytest.raises(ClientError) as caught:
        aws.client("service-quotas").get_service_quota(**arguments)
    assert caught.value.response["Error"]["Code"] == code


def test_a_token_that_is_none_of_its_own_is_refused(aws: InProcess) -> None:
    aws.load(healthy(1))
    with pytest.raises(ClientError) as caught:
        aws.client("service-quotas").list_service_quotas(ServiceCode="drs", NextToken="next")
    assert caught.value.response["Error"]["Code"] == "InvalidPaginationTokenException"


def test_over_http_too_and_the_call_is_in_the_log(aws_server: OverHTTP) -> None:
    listed = aws_server.client("service-quotas").list_service_quotas(ServiceCode="drs")["Quotas"]
    assert len(listed) == 8
    [call] = world.calls.matching(operation="ListServiceQuotas")
    assert (call.service, call.outcome, call.params["ServiceCode"]) == (
        "servicequotas",
        "ok",
        "drs",
    )
