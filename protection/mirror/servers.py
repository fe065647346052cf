"""What the mirror holds of source servers and recovery instances."""

from collections.abc import Iterator

from django.db.models import QuerySet

from drportal.aws.dynamodb import Item
from drportal.mirror.attributes import moment, seconds
from protection.models import RecoveryInstance, SourceServer


def source_servers(servers: QuerySet[SourceServer]) -> Iterator[Item]:
    """An item for each source server."""
    for server in servers.select_related("account"):
        yield _identity(server) | _condition(server) | _machine(server) | _origin(server)


def _identity(server: SourceServer) -> Item:
    return {
        "inventoryId": str(server.pk),
        "sourceServerID": server.server_id,
        "sourceServerArn": server.arn,
        "targetAccountId": str(server.account.pk),
        "accountId": server.account.account_id,
        "replicationRegion": server.region,
        "name": server.name,
        "hostname": server.hostname,
        "tags": server.tags,
        "syncedTags": server.synced_tags,
        "stagingAccountId": server.staging_account_id or None,
        "stagingStatus": server.staging_status,
        "stagingError": server.staging_error,
        "fingerprint": server.fingerprint,
        "firstSeenAt": moment(server.first_seen_at),
        "lastUpdated": moment(server.changed_at),
        "goneAt": moment(server.gone_at),
    }


def _condition(server: SourceServer) -> Item:
    return {
        "replicationState": server.replication_state,
        "replicationError": server.replication_error,
        "lagSeconds": seconds(server.lag),
        "firstSynced": server.first_synced,
        "lastLaunchResult": server.last_launch_result,
        "recoveryInstanceId": server.recovery_instance_id,
    }


def _machine(server: SourceServer) -> Item:
    return {
        "os": server.os,
        "architecture": server.architecture,
        "recommendedInstanceType": server.recommended_instance_type,
        "cpuCores": server.cpu_cores,
        "ramBytes": server.ram_bytes,
        "diskBytes": server.disk_bytes,
        "sourceAddresses": server.source_addresses,
    }


def _origin(server: SourceServer) -> Item:
    """Where the server comes from, and what EC2 told of it there."""
    return {
        "sourceAccountId": server.origin_account_id or None,
        "sourceRegion": server.origin_region,
        "sourceInstanceId": server.origin_instance_id,
        "sourceInstanceType": server.origin_instance_type,
        "sourceTags": server.origin_tags,
        "ec2NetworkConfig": {
            "vpcId": server.origin_vpc_id,
            "subnetId": server.origin_subnet_id,
            "privateIp": server.origin_private_ip,
            "securityGroups": server.origin_security_group_ids,
            "instanceProfile": server.origin_instance_profile,
        },
    }


def recovery_instances(instances: QuerySet[RecoveryInstance]) -> Iterator[Item]:
    """An item for each recovery instance."""
    for instance in instances.select_related("account"):
        yield _launched(instance) | _standing(instance)


def _launched(instance: RecoveryInstance) -> Item:
    return {
        "recoveryInventoryId": str(instance.pk),
        "targetAccountId": str(instance.account.pk),
        "accountId": instance.account.account_id,
        "region": instance.region,
        "recoveryInstanceId": instance.instance_id,
        "recoveryInstanceArn": instance.arn,
        "sourceServerId": instance.server_id or None,
        "jobId": instance.job_id,
        "name": instance.name,
        "isDrill": instance.is_drill,
        "pointInTime": moment(instance.point_in_time),
        "launchTime": moment(instance.launched_at),
        "tags": instance.tags,
        "fingerprint": instance.fingerprint,
        "firstSeenAt": moment(instance.first_seen_at),
        "lastUpdated": moment(instance.changed_at),
    }


def _standing(instance: RecoveryInstance) -> Item:
    return {
        "ec2InstanceState": instance.ec2_state,
        "failbackState": instance.failback_state,
        "replicationState": instance.replication_state,
        "instanceType": instance.instance_type,
        "privateIp": instance.private_ip,
        "publicIp": instance.public_ip,
        "vpcId": instance.vpc_id,
        "subnetId": instance.subnet_id,
        "availabilityZone": instance.availability_zone,
    }
