"""What a launch leaves in EC2, and what launch settings change about it."""

from datetime import timedelta
from typing import Any

import pytest

from drportal.simulator import ec2 as simulated_ec2
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, healthy
from tests.simulator.watching import (
    LONG_ENOUGH,
    events,
    ids,
    instances,
    job,
    launch,
    log,
    statuses,
)

GIB = 1024**3
DISKS = [{"device": "/dev/xvda", "GiB": 30}, {"device": "/dev/xvdb", "GiB": 200}]


def launched(aws: InProcess) -> Any:
    """The EC2 instance of the only server, after a launch."""
    drs = aws.drs()
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [made] = instances(drs).values()
    return ec2_instance(aws, made["ec2InstanceID"])


def ec2_instance(aws: InProcess, instance_id: str) -> Any:
    [reservation] = aws.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    return reservation["Instances"][0]


def tags_of(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def raw_error(aws: InProcess) -> str:
    """The error of the only server's launch, which must fail."""
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    assert set(statuses(job(drs, started["jobID"])).values()) == {"FAILED"}
    assert job(drs, started["jobID"])["status"] == "COMPLETED"
    [failed] = [each for each in log(drs, started["jobID"]) if each["event"] == "LAUNCH_FAILED"]
    [server] = drs.describe_source_servers()["items"]
    assert server["lastLaunchResult"] == "FAILED"
    assert "recoveryInstanceId" not in server
    return str(failed["eventData"]["rawError"])


def new_default_version(aws: InProcess, changes: dict[str, Any]) -> None:
    """As DRS users do it: a new version of the server's template, made the default."""
    drs, ec2 = aws.drs(), aws.client("ec2")
    [server_id] = ids(drs)
    template = drs.get_launch_configuration(sourceServerID=server_id)["ec2LaunchTemplateID"]
    made = ec2.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="$Default", LaunchTemplateData=changes
    )
    ec2.modify_launch_template(
        LaunchTemplateId=template,
        DefaultVersion=str(made["LaunchTemplateVersion"]["VersionNumber"]),
    )


def test_the_instance_has_the_server_s_type_disks_and_tags(aws: InProcess) -> None:
    aws.load(healthy(1, instanceType="m5.xlarge", disks=DISKS, tags={"Application": "shop"}))
    drs = aws.drs()
    [server_id] = ids(drs)
    instance = launched(aws)
    assert instance["State"]["Name"] == "running"
    assert instance["InstanceType"] == "m5.xlarge"
    tags = tags_of(instance)
    assert tags["Name"] == "web-01"
    assert tags["AWSElasticDisasterRecoveryManaged"] == "drs.amazonaws.com"
    assert tags["AWSElasticDisasterRecoverySourceServerID"] == server_id
    assert tags["aws:ec2launchtemplate:version"] == "1"
    assert "Application" not in tags  # copyTags is off
    [made] = instances(drs).values()
    disks = made["recoveryInstanceProperties"]["disks"]
    assert [(each["internalDeviceName"], each["bytes"] // GIB) for each in disks] == [
        ("/dev/xvda", 30),
        ("/dev/xvdb", 200),
    ]
    volumes = aws.client("ec2").describe_volumes(VolumeIds=[each["ebsVolumeID"] for each in disks])
    assert sorted(volume["Size"] for volume in volumes["Volumes"]) == [30, 200]
    for volume in volumes["Volumes"]:
        assert tags_of(volume)["AWSElasticDisasterRecoverySourceServerID"] == server_id


def test_the_instance_goes_where_the_template_says(aws: InProcess) -> None:
    aws.load(healthy(1, tags={"Tier": "database"}))
    ec2 = aws.client("ec2")
    [subnet] = ec2.describe_subnets(
        Filters=[{"Name": "tag:Name", "Values": ["recovery-database"]}]
    )["Subnets"]
    instance = launched(aws)
    assert instance["SubnetId"] == subnet["SubnetId"]
    assert [group["GroupName"] for group in instance["SecurityGroups"]] == ["recovery-database"]
    [interface] = instance["NetworkInterfaces"]
    assert interface["PrivateIpAddress"] == instance["PrivateIpAddress"]
    assert instance["PrivateIpAddress"].startswith(subnet["CidrBlock"].rsplit(".", 2)[0])


def test_the_default_version_counts_not_the_latest(aws: InProcess) -> None:
    aws.load(healthy(1))
    new_default_version(aws, {"InstanceType": "c5.large"})
    drs, ec2 = aws.drs(), aws.client("ec2")
    [server_id] = ids(drs)
    template = drs.get_launch_configuration(sourceServerID=server_id)["ec2LaunchTemplateID"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "x1.32xlarge"}
    )
    assert launched(aws)["InstanceType"] == "c5.large"


def test_a_fixed_private_address_of_the_template_is_taken_and_freed(aws: InProcess) -> None:
    aws.load(healthy(1))
    [subnet] = aws.client("ec2").describe_subnets(
        Filters=[{"Name": "tag:Name", "Values": ["recovery-web"]}]
    )["Subnets"]
    address = subnet["CidrBlock"].replace(".0/20", ".77")
    nic = {"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "PrivateIpAddress": address}
    new_default_version(aws, {"NetworkInterfaces": [nic]})
    assert launched(aws)["PrivateIpAddress"] == address
    assert launched(aws)["PrivateIpAddress"] == address  # the first instance was removed


def test_copy_private_ip_outside_the_subnet_fails_the_launch(aws: InProcess) -> None:
    aws.load(healthy(1, ip="192.168.7.7", launchConfiguration={"copyPrivateIp": True}))
    assert "192.168.7.7 does not fall within" in raw_error(aws)


def test_an_address_in_use_fails_the_launch(aws: InProcess) -> None:
    aws.load(healthy(1, ip="10.10.16.9", launchConfiguration={"copyPrivateIp": True}))
    ec2 = aws.client("ec2")
    [subnet] = ec2.describe_subnets(
        Filters=[{"Name": "tag:Name", "Values": ["recovery-application"]}]
    )["Subnets"]
    ec2.run_instances(
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet["SubnetId"],
        PrivateIpAddress="10.10.16.9",
    )
    assert "InvalidIPAddress.InUse" in raw_error(aws)


@pytest.mark.parametrize(
    ("nic", "error"),
    [
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"Groups": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
    ],
)
def test_what_the_template_names_must_exist(
    aws: InProcess, nic: dict[str, Any], error: str
) -> None:
    aws.load(healthy(1))
    new_default_version(aws, {"NetworkInterfaces": [{"DeviceIndex": 0, **nic}]})
    assert error in raw_error(aws)


def test_tags_are_copied_and_the_template_s_win(aws: InProcess) -> None:
    aws.load(
        healthy(
            1,
            tags={"Application": "shop", "Owner": "retail"},
            launchConfiguration={"copyTags": True},
        )
    )
    specification = {
        "ResourceType": "instance",
        "Tags": [{"Key": "Owner", "Value": "disaster-team"}],
    }
    new_default_version(aws, {"TagSpecifications": [specification]})
    tags = tags_of(launched(aws))
    assert tags["Application"] == "shop"
    assert tags["Owner"] == "disaster-team"


def test_right_sizing_makes_a_new_default_version(aws: InProcess) -> None:
    aws.load(healthy(1, instanceType="r5.2xlarge"))
    drs, ec2 = aws.drs(), aws.client("ec2")
    new_default_version(aws, {"InstanceType": "t3.micro"})
    [server_id] = ids(drs)
    settings = drs.update_launch_configuration(
        sourceServerID=server_id, targetInstanceTypeRightSizingMethod="BASIC"
    )
    assert launched(aws)["InstanceType"] == "r5.2xlarge"
    [template] = ec2.describe_launch_templates(LaunchTemplateIds=[settings["ec2LaunchTemplateID"]])[
        "LaunchTemplates"
    ]
    assert template["DefaultVersionNumber"] == 3


def test_a_stopped_disposition_ends_stopped_and_counts_as_launched(aws: InProcess) -> None:
    aws.load(healthy(1, launchConfiguration={"launchDisposition": "STOPPED"}))
    assert launched(aws)["State"]["Name"] == "stopped"
    [made] = instances(aws.drs()).values()
    assert made["ec2InstanceState"] == "STOPPED"


def test_a_deleted_template_is_made_again(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs, ec2 = aws.drs(), aws.client("ec2")
    [server_id] = ids(drs)
    before = drs.get_launch_configuration(sourceServerID=server_id)["ec2LaunchTemplateID"]
    ec2.delete_launch_template(LaunchTemplateId=before)
    assert launched(aws)["State"]["Name"] == "running"
    after = drs.get_launch_configuration(sourceServerID=server_id)["ec2LaunchTemplateID"]
    assert after != before


def test_the_instance_is_pending_until_the_launch_ends(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs, ec2 = aws.drs(), aws.client("ec2")
    launch(drs)
    aws.clock.advance(timedelta(minutes=6))
    [pending] = ec2.describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["pending"]}]
    )["Reservations"]
    assert tags_of(pending["Instances"][0])["Name"] == "web-01"
    assert instances(drs) == {}


def test_conversion_servers_come_and_go(aws: InProcess) -> None:
    aws.load(healthy(2))
    drs, ec2 = aws.drs(), aws.client("ec2")
    named = {"Name": "tag:Name", "Values": [simulated_ec2.CONVERSION_SERVER]}
    started = launch(drs)
    aws.clock.advance(timedelta(minutes=2))
    found = [
        each["Instances"][0] for each in ec2.describe_instances(Filters=[named])["Reservations"]
    ]
    assert [each["State"]["Name"] for each in found] == ["running", "running"]
    aws.clock.advance(LONG_ENOUGH)
    for each in found:
        assert ec2_instance(aws, each["InstanceId"])["State"]["Name"] == "terminated"
    ends = [each for each in log(drs, started["jobID"]) if each["event"] == "CONVERSION_END"]
    assert {each["eventData"]["conversionServerID"] for each in ends} == {
        each["InstanceId"] for each in found
    }


def test_conversion_servers_can_be_left_out(aws: InProcess) -> None:
    aws.load(healthy(1) | {"settings": {"conversion_servers_in_ec2": False}})
    launched(aws)
    assert len(aws.client("ec2").describe_instances()["Reservations"]) == 1


def test_ec2_shows_what_is_due_without_a_call_to_drs(aws: InProcess) -> None:
    aws.load(healthy(1))
    launch(aws.drs())
    aws.clock.advance(LONG_ENOUGH)
    running = aws.client("ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
    )["Reservations"]
    assert len(running) == 1


def test_an_instance_ended_behind_drs_s_back_shows_as_such(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs, ec2 = aws.drs(), aws.client("ec2")
    instance = launched(aws)
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    [made] = instances(drs).values()
    assert made["ec2InstanceState"] == "STOPPED"
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    [made] = instances(drs).values()
    assert made["ec2InstanceState"] == "TERMINATED"
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, started["jobID"])[1:3] == ["CLEANUP_START", "CLEANUP_END"]
    [made] = instances(drs).values()
    assert made["ec2InstanceState"] == "RUNNING"


def test_an_old_instance_with_termination_protection_fails_the_launch(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs, ec2 = aws.drs(), aws.client("ec2")
    instance = launched(aws)
    ec2.modify_instance_attribute(
        InstanceId=instance["InstanceId"], DisableApiTermination={"Value": True}
    )
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    assert events(drs, started["jobID"]) == [
        "JOB_START",
        "CLEANUP_START",
        "CLEANUP_FAIL",
        "JOB_END",
    ]
    assert set(statuses(job(drs, started["jobID"])).values()) == {"FAILED"}


def test_launching_into_an_instance_keeps_its_id(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs, ec2 = aws.drs(), aws.client("ec2")
    [own] = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"]
    [server_id] = ids(drs)
    drs.update_launch_configuration(
        sourceServerID=server_id,
        launchIntoInstanceProperties={"launchIntoEC2InstanceID": own["InstanceId"]},
    )
    assert "does not have the tag" in raw_error(aws)
    ec2.create_tags(
        Resources=[own["InstanceId"]],
        Tags=[{"Key": "AWSDRS", "Value": "AllowLaunchingIntoThisInstance"}],
    )
    assert "not in the 'stopped' state" in raw_error(aws)
    ec2.stop_instances(InstanceIds=[own["InstanceId"]])
    assert launched(aws)["InstanceId"] == own["InstanceId"]


def test_post_launch_actions_run_when_they_are_enabled(aws: InProcess) -> None:
    aws.load(healthy(1, launchConfiguration={"postLaunchEnabled": True}))
    drs = aws.drs()
    [server_id] = ids(drs)
    drs.put_launch_action(
        resourceId=server_id,
        actionCode="AWSMigration-VerifyMountedVolumes",
        actionId="0a1b2c3d-0000-4000-8000-000000000001",
        order=2000,
        optional=False,
        active=True,
        name="volumes",
        actionVersion="1",
        category="VALIDATION",
        description="Volumes are there",
    )
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [participant] = job(drs, started["jobID"])["participatingServers"]
    [run] = participant["launchActionsStatus"]["runs"]
    assert run["status"] == "SUCCEEDED"
    assert run["action"]["actionCode"] == "AWSMigration-VerifyMountedVolumes"


def test_the_job_may_name_the_instance(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    started = launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [participant] = job(drs, started["jobID"])["participatingServers"]
    assert "recoveryInstanceID" not in participant
    world.settings.launch_job_names_instance = True
    [participant] = job(drs, started["jobID"])["participatingServers"]
    assert participant["recoveryInstanceID"].startswith("i-")


def test_a_version_inherits_what_it_does_not_name(aws: InProcess) -> None:
    aws.load(healthy(1))
    new_default_version(aws, {"Monitoring": {"Enabled": True}, "UserData": "aGVsbG8="})
    new_default_version(aws, {"NetworkInterfaces": [{"DeviceIndex": 0, "Description": "mine"}]})
    [server_id] = ids(aws.drs())
    found = aws.drs().get_launch_configuration(sourceServerID=server_id)
    [version] = aws.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=found["ec2LaunchTemplateID"], Versions=["$Default"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert (data["Monitoring"], data["UserData"]) == ({"Enabled": True}, "aGVsbG8=")
    assert data["NetworkInterfaces"] == [{"DeviceIndex": 0, "Description": "mine"}]
    assert {each["ResourceType"] for each in data["TagSpecifications"]} == {"instance", "volume"}


def test_monitoring_credits_and_a_public_address_come_from_the_template(aws: InProcess) -> None:
    aws.load(healthy(1, instanceType="t3.large"))
    new_default_version(
        aws,
        {
            "Monitoring": {"Enabled": True},
            "CreditSpecification": {"CpuCredits": "unlimited"},
            "EbsOptimized": True,
            "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}],
        },
    )
    instance = launched(aws)
    assert instance["Monitoring"]["State"] == "enabled"
    assert instance["PublicIpAddress"]
    assert instance["EbsOptimized"] is False  # DRS ignores it (DRS launch-template synchronizer)
    [spent] = aws.client("ec2").describe_instance_credit_specifications(
        InstanceIds=[instance["InstanceId"]]
    )["InstanceCreditSpecifications"]
    assert spent["CpuCredits"] == "unlimited"


def test_security_groups_beside_an_interface_fail_the_launch(aws: InProcess) -> None:
    aws.load(healthy(1))
    default = aws.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    new_default_version(aws, {"SecurityGroupIds": [default], "NetworkInterfaces": [{}]})
    assert "InvalidParameterCombination" in raw_error(aws)
