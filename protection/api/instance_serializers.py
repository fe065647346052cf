"""How recovery instances and their sync are shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known, StrictSerializer
from protection.api.serializers import AccountRef, SyncRunOut
from protection.models import RecoveryInstance


class InstanceOut(serializers.ModelSerializer[RecoveryInstance]):
    """A recovery instance as DRS and EC2 last listed it. What is not known is null.

    The context holds `regions`: the rows of accounts' Regions by (account, Region).
    """

    account = AccountRef(read_only=True)
    server_id = Known(help_text="The source server that it was launched from.")
    arn = Known()
    job_id = Known(help_text="The DRS job that launched it.")
    name = Known()
    ec2_state = Known(help_text="As EC2 spells it, in capitals.")
    failback_state = Known(help_text="As DRS spells it.")
    replication_state = Known(help_text="As DRS spells it.")
    instance_type = Known()
    private_ip = Known()
    public_ip = Known()
    vpc_id = Known()
    subnet_id = Known()
    availability_zone = Known()
    listed_at = serializers.SerializerMethodField(
        help_text="When its account and Region were last listed."
    )

    class Meta:
        model = RecoveryInstance
        fields = (
            "id",
            "account",
            "region",
            "instance_id",
            "server_id",
            "arn",
            "job_id",
            "name",
            "ec2_state",
            "is_drill",
            "point_in_time",
            "failback_state",
            "replication_state",
            "instance_type",
            "private_ip",
            "public_ip",
            "vpc_id",
            "subnet_id",
            "availability_zone",
            "launched_at",
            "tags",
            "listed_at",
            "first_seen_at",
            "changed_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_listed_at(self, instance: RecoveryInstance) -> Any:
        row = self.context["regions"].get((instance.account_id, instance.region))
        return row.instances_listed_at if row else None


class NothingIn(StrictSerializer):
    """A request without members: the sync always covers the whole installation."""


class LastSync(serializers.Serializer[Any]):
    """The latest run of a sync; null if it never ran, which is no success."""

    last_run = SyncRunOut(allow_null=True)
