"""Staging accounts, extended servers, launch and replication settings, and tags."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from drportal.simulator import company
from drportal.simulator.keys import add_key
from drportal.simulator.models import drs_backends
from drportal.simulator.staging_area import TRUST_ROLE
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, healthy
from tests.simulator.watching import ids, launch

ROLE = (
    f"arn:aws:iam::{company.STAGING}:role/service-role/"
    f"{TRUST_ROLE.format(target=company.LOGISTICS)}"
)


def error(call: Any, **params: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return dict(caught.value.response)


def code(call: Any, **params: Any) -> str:
    return str(error(call, **params)["Error"]["Code"])


@pytest.fixture
def target(aws: InProcess) -> Any:
    aws.load(company.scenario())
    return aws.drs(company.LOGISTICS, company.WEST)


def extensible(target: Any) -> list[dict[str, Any]]:
    found = target.list_extensible_source_servers(stagingAccountID=company.STAGING)
    return list(found["items"])


def named(target: Any, hostname: str) -> dict[str, Any]:
    [found] = [each for each in extensible(target) if each["hostname"] == hostname]
    return found


def test_servers_that_can_still_be_extended(target: Any) -> None:
    found = extensible(target)
    assert sorted(each["hostname"] for each in found) == ["reporting-app-04", "reporting-web-02"]
    assert all(each["tags"]["Application"] == "reporting" for each in found)
    accounts = target.list_staging_accounts()["accounts"]
    assert accounts == [{"accountID": company.STAGING}]


def test_extending_a_server(aws: InProcess, target: Any) -> None:
    one = named(target, "reporting-app-04")
    made = target.create_extended_source_server(sourceServerArn=one["arn"], tags={"Wave": "2"})
    server = made["sourceServer"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert server["stagingArea"] == {
        "status": "EXTENDED",
        "stagingAccountID": company.STAGING,
        "stagingSourceServerArn": one["arn"],
    }
    assert server["tags"] == {"Wave": "2"}
    assert server["arn"].startswith(
        f"arn:aws:drs:{company.WEST}:{company.LOGISTICS}:source-server/"
    )
    assert len(extensible(target)) == 1
    points = target.describe_recovery_snapshots(sourceServerID=server["sourceServerID"])
    assert points["items"]
    assert code(target.create_extended_source_server, sourceServerArn=one["arn"]) == (
        "ValidationException"
    )


def test_what_cannot_be_extended(aws: InProcess, target: Any) -> None:
    unknown = f"arn:aws:drs:{company.WEST}:{company.STAGING}:source-server/s-0123456789abcdef0"
    extend = target.create_extended_source_server
    assert code(extend, sourceServerArn=unknown) == "ResourceNotFoundException"
    elsewhere = unknown.replace(company.WEST, company.EAST)
    assert code(extend, sourceServerArn=elsewhere) == "ValidationException"
    untrusting = unknown.replace(company.STAGING, company.RETAIL)
    assert code(extend, sourceServerArn=untrusting) == "AccessDeniedException"
    own = unknown.replace(company.STAGING, company.LOGISTICS)
    assert code(extend, sourceServerArn=own) == "ValidationException"
    assert code(target.list_extensible_source_servers, stagingAccountID=company.RETAIL) == (
        "AccessDeniedException"
    )


def test_a_server_with_the_default_key_cannot_be_extended(aws: InProcess, target: Any) -> None:
    one = named(target, "reporting-web-02")
    refused = error(target.create_extended_source_server, sourceServerArn=one["arn"])
    assert refused["Error"]["Code"] == "ValidationException"
    assert "default EBS encryption key" in refused["Error"]["Message"]
    arn = add_key(company.STAGING, company.WEST, "of-aws", manager="AWS")
    settings = drs_backends[company.STAGING][company.WEST].replication_configurations
    mine = settings[one["arn"].rsplit("/", 1)[-1]]
    mine.update(ebsEncryption="CUSTOM", ebsEncryptionKeyArn=arn)
    assert code(target.create_extended_source_server, sourceServerArn=one["arn"]) == (
        "ValidationException"
    )
    mine.update(ebsEncryptionKeyArn=company.STAGING_KEY)
    made = target.create_extended_source_server(sourceServerArn=one["arn"])
    assert made["sourceServer"]["stagingArea"]["status"] == "EXTENDED"


def extended(target: Any) -> list[dict[str, Any]]:
    found = target.describe_source_servers(filters={"stagingAccountIDs": [company.STAGING]})
    return list(found["items"])


def test_without_the_trust_role_extended_servers_cannot_be_recovered(target: Any) -> None:
    world.accounts.remove_role(ROLE)
    server = extended(target)[0]
    assert server["stagingArea"]["status"] == "EXTENSION_ERROR"
    assert "Cannot assume role" in server["stagingArea"]["errorMessage"]
    refused = error(
        target.start_recovery, sourceServers=[{"sourceServerID": server["sourceServerID"]}]
    )
    assert refused["Error"]["Code"] == "ConflictException"
    assert "Cannot assume role" in refused["Error"]["Message"]


def test_a_deleted_staging_server_leaves_an_extension_error(aws: InProcess, target: Any) -> None:
    staging = aws.drs(company.STAGING, company.WEST)
    server = extended(target)[0]
    origin = server["stagingArea"]["stagingSourceServerArn"].rsplit("/", 1)[-1]
    staging.disconnect_source_server(sourceServerID=origin)
    staging.delete_source_server(sourceServerID=origin)
    [now] = target.describe_source_servers(filters={"sourceServerIDs": [server["sourceServerID"]]})[
        "items"
    ]
    assert now["stagingArea"]["status"] == "EXTENSION_ERROR"
    assert "does not exist in the staging account" in now["stagingArea"]["errorMessage"]


def test_an_extended_server_replicates_as_its_staging_server_does(
    aws: InProcess, target: Any
) -> None:
    staging = aws.drs(company.STAGING, company.WEST)
    server = extended(target)[0]
    origin = server["stagingArea"]["stagingSourceServerArn"].rsplit("/", 1)[-1]
    staging.stop_replication(sourceServerID=origin)
    [now] = target.describe_source_servers(filters={"sourceServerIDs": [server["sourceServerID"]]})[
        "items"
    ]
    assert now["dataReplicationInfo"]["dataReplicationState"] == "STOPPED"


def test_replication_settings_belong_to_the_staging_account(target: Any) -> None:
    server_id = extended(target)[0]["sourceServerID"]
    settings = target.get_replication_configuration(sourceServerID=server_id)
    assert settings["sourceServerID"] == server_id
    assert (
        code(
            target.update_replication_configuration, sourceServerID=server_id, bandwidthThrottling=5
        )
        == "AccessDeniedException"
    )


class TestSettings:
    def test_launch_settings_change_member_by_member(self, aws: InProcess) -> None:
        aws.load(healthy(1))
        drs = aws.drs()
        [server_id] = ids(drs)
        before = drs.get_launch_configuration(sourceServerID=server_id)
        after = drs.update_launch_configuration(
            sourceServerID=server_id, copyTags=True, launchDisposition="STOPPED"
        )
        assert after["copyTags"] is True
        assert after["launchDisposition"] == "STOPPED"
        assert after["ec2LaunchTemplateID"] == before["ec2LaunchTemplateID"]
        assert after["name"] == f"Launch Configuration for Source Server {server_id}"
        again = drs.get_launch_configuration(sourceServerID=server_id)
        assert again["launchDisposition"] == "STOPPED"

    def test_launching_into_an_instance_excludes_copying(self, aws: InProcess) -> None:
        aws.load(healthy(1, launchConfiguration={"copyTags": True}))
        drs = aws.drs()
        [server_id] = ids(drs)
        refused = error(
            drs.update_launch_configuration,
            sourceServerID=server_id,
            launchIntoInstanceProperties={"launchIntoEC2InstanceID": "i-0123456789abcdef0"},
        )
        assert refused["Error"]["Code"] == "ValidationException"
        assert refused["reason"] == "fieldValidationFailed"
        assert refused["fieldList"][0]["name"] == "launchIntoInstanceProperties"
        now = drs.get_launch_configuration(sourceServerID=server_id)
        assert "launchIntoInstanceProperties" not in now

    def test_a_disconnected_server_keeps_its_replication_settings(self, aws: InProcess) -> None:
        aws.load(healthy(1))
        drs = aws.drs()
        [server_id] = ids(drs)
        drs.disconnect_source_server(sourceServerID=server_id)
        assert (
            code(
                drs.update_replication_configuration, sourceServerID=server_id, createPublicIP=True
            )
            == "ConflictException"
        )


class TestTags:
    def test_of_servers_jobs_and_instances(self, aws: InProcess) -> None:
        aws.load(healthy(1, tags={"Application": "shop"}))
        drs = aws.drs()
        [server] = drs.describe_source_servers()["items"]
        drs.tag_resource(resourceArn=server["arn"], tags={"Wave": "1", "Application": "till"})
        listed = drs.list_tags_for_resource(resourceArn=server["arn"])["tags"]
        assert listed == {"Application": "till", "Wave": "1"}
        drs.untag_resource(resourceArn=server["arn"], tagKeys=["Wave", "Absent"])
        [server] = drs.describe_source_servers()["items"]
        assert server["tags"] == {"Application": "till"}
        started = drs.start_recovery(
            sourceServers=[{"sourceServerID": server["sourceServerID"]}], tags={"Run": "7"}
        )["job"]
        assert started["tags"] == {"Run": "7"}
        assert drs.list_tags_for_resource(resourceArn=started["arn"])["tags"] == {"Run": "7"}

    def test_what_has_no_tags(self, aws: InProcess) -> None:
        aws.load(healthy(1))
        drs = aws.drs()
        [server] = drs.describe_source_servers()["items"]
        gone = server["arn"].replace(server["sourceServerID"], "s-0123456789abcdef0")
        assert code(drs.list_tags_for_resource, resourceArn=gone) == "ResourceNotFoundException"
        foreign = server["arn"].replace(company.HUB, company.RETAIL)
        assert code(drs.list_tags_for_resource, resourceArn=foreign) == "AccessDeniedException"
        other = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
        assert code(drs.list_tags_for_resource, resourceArn=other) == "ValidationException"

    def test_fifty_at_most(self, aws: InProcess) -> None:
        aws.load(healthy(1))
        drs = aws.drs()
        [server] = drs.describe_source_servers()["items"]
        drs.tag_resource(resourceArn=server["arn"], tags={f"k{n}": "v" for n in range(50)})
        assert code(drs.tag_resource, resourceArn=server["arn"], tags={"one": "more"}) == (
            "ValidationException"
        )
        drs.tag_resource(resourceArn=server["arn"], tags={"k0": "changed"})

    def test_a_stray_tag_as_in_one_real_answer(self, aws: InProcess) -> None:
        aws.load(healthy(1) | {"settings": {"stray_job_tag": True}})
        started = launch(aws.drs())
        assert started["tags"] == {"resourceArn": started["arn"]}
        assert aws.drs().describe_jobs()["items"][0]["tags"] == {}
