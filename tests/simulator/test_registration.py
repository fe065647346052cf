"""DRS as a service of moto: its endpoints, what it does not have, and its independence of order."""

import re

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import backend_index
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber

from drportal.simulator import urls
from drportal.simulator.models import drs_backends
from drportal.simulator.registration import register
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, healthy


def endpoints() -> list[str]:
    session = boto3.session.Session()
    found = []
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("drs", partition_name=partition):
            domain = "amazonaws.eu" if partition == "aws-eusc" else "amazonaws.com"
            found += [
                f"https://drs.{region}.{domain}/DescribeJobs",
                f"https://drs-fips.{region}.{domain}/DescribeJobs",
                f"https://drs.{region}.api.aws/DescribeJobs",
            ]
    return found


def test_every_endpoint_of_drs_is_its_own_and_nobody_else_s() -> None:
    register()
    listed = endpoints()
    assert len(listed) > 100
    for url in listed:
        matching = [
            name for name, pattern in backend_index.backend_url_patterns if pattern.match(url)
        ]
        assert matching == ["drs"], url


def test_other_services_keep_their_endpoints() -> None:
    pattern = re.compile(urls.url_bases[0])
    for host in (
        "ec2.us-east-1.amazonaws.com",
        "drs.example.com",
        "notdrs.us-east-1.amazonaws.com",
    ):
        assert not pattern.match(f"https://{host}/")


def test_registering_again_changes_nothing() -> None:
    register()
    before = list(backend_index.backend_url_patterns), BotocoreStubber.process_request
    register()
    assert (list(backend_index.backend_url_patterns), BotocoreStubber.process_request) == before


@pytest.mark.parametrize("operation", ["list_recovery_plans", "describe_source_networks"])
def test_what_is_not_simulated_says_so(aws: InProcess, operation: str) -> None:
    aws.load(healthy(1))
    with pytest.raises(ClientError, match=r"The simulator does not implement drs:") as caught:
        getattr(aws.drs(), operation)()
    assert caught.value.response["Error"]["Code"] == "SimulatorNotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_reset_empties_every_account_of_every_service(aws: InProcess) -> None:
    aws.load(healthy(1))
    aws.client("ec2").describe_vpcs()
    world.reset()
    assert dict(drs_backends) == {}
    assert vars(BackendDict)["_instances"] == []
    assert world.calls.matching() == []
