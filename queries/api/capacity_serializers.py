"""How capacity is shown. What is not known is null, and what misses something says what."""

from typing import Any

from rest_framework import serializers

from protection.choices import CapacityState, Measure, RegionStatus
from protection.rules.capacity import Count
from queries.capacity import AccountCapacity, Gauge, Place, RegionCapacity


class CountOut(serializers.Serializer[Count]):
    """How many there are: at least so many, unless `complete`. `missing` names what could not be
    counted.
    """

    value = serializers.IntegerField(allow_null=True)
    complete = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())


class GaugeOut(serializers.Serializer[Gauge]):
    """A count against the quota of one account in one Region.

    `status` is this or a worse one if the count is not complete. `limit_source` says whether
    Service Quotas named the limit, or it is the documented one.
    """

    measure = serializers.ChoiceField(Measure.choices, source="held.measure")
    count = CountOut(source="held.count")
    limit = serializers.IntegerField(source="held.limit")
    limit_source = serializers.SerializerMethodField()
    percent_used = serializers.FloatField(source="held.percent", allow_null=True)
    available_slots = serializers.IntegerField(source="held.free", allow_null=True)
    status = serializers.ChoiceField(CapacityState.choices, source="held.state")

    def get_limit_source(self, gauge: Gauge) -> str:
        return "SERVICE_QUOTAS" if gauge.quota.told else "DOCUMENTED"


class PlaceOut(serializers.Serializer[Place]):
    """One account in one Region."""

    region = serializers.CharField()
    region_status = serializers.ChoiceField(RegionStatus.choices, source="status")
    problem = serializers.CharField(help_text="Why the Region does not answer.")
    status = serializers.ChoiceField(CapacityState.choices, source="state")
    at_least = serializers.BooleanField()
    data_source = serializers.CharField(
        source="source",
        help_text="`inventory`, `live`, or `extended_servers`: the least that these tell.",
    )
    as_of = serializers.DateTimeField(allow_null=True)
    gauges = GaugeOut(many=True)
    jobs_as_of = serializers.DateTimeField(allow_null=True)
    jobs_problem = serializers.CharField()
    largest_job_id = serializers.CharField()
    quotas_problem = serializers.CharField(
        help_text="Why Service Quotas did not tell; the documented quotas stand in."
    )


class AccountCapacityOut(serializers.Serializer[AccountCapacity]):
    """One account in all of its Regions: counts are added up, limits are not.

    `silent_regions` were never asked, or not lately: nothing is known of them. `id` is null for
    a staging account that is no target.
    """

    id = serializers.UUIDField(source="pk", allow_null=True)
    account_id = serializers.CharField()
    account_name = serializers.CharField(source="name")
    account_type = serializers.SerializerMethodField(help_text="`target` or `staging`.")
    stages_for = serializers.ListField(source="serves", child=serializers.CharField())
    replicating_servers = CountOut(source="replicating")
    source_servers = CountOut()
    status = serializers.ChoiceField(CapacityState.choices, source="state")
    at_least = serializers.BooleanField()
    regions = PlaceOut(source="places", many=True)
    silent_regions = serializers.ListField(source="silent", child=serializers.CharField())

    def get_account_type(self, account: AccountCapacity) -> str:
        return "target" if account.is_target else "staging"


class RegionCapacityOut(serializers.Serializer[RegionCapacity]):
    """One Region over several accounts, with the sum of the limits of just these accounts."""

    region = serializers.CharField()
    account_count = serializers.IntegerField(source="accounts")
    replicating_servers = CountOut(source="replicating")
    max_replicating = serializers.IntegerField(source="replicating_limits")
    source_servers = CountOut()
    max_source_servers = serializers.IntegerField(source="source_server_limits")
    status = serializers.ChoiceField(CapacityState.choices, source="state")


class CapacityOut(serializers.Serializer[Any]):
    """How full accounts and Regions are. `warnings` names all that could not be counted."""

    status = serializers.ChoiceField(CapacityState.choices, source="state")
    at_least = serializers.BooleanField()
    replicating_servers = CountOut(source="replicating")
    source_servers = CountOut()
    accounts = AccountCapacityOut(many=True)
    regional_capacity = RegionCapacityOut(source="regions", many=True)
    warnings = serializers.ListField(source="missing", child=serializers.CharField())


class QuotasOut(serializers.Serializer[Any]):
    """One account's quotas, Region by Region, and how much of each is used."""

    account_id = serializers.CharField()
    regions = PlaceOut(source="places", many=True)
    silent_regions = serializers.ListField(source="silent", child=serializers.CharField())
