"""Which servers tags stand for, in the words of the reference system."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers

from drportal.api.serializers import Id, Known, Seconds, StrictSerializer, Tags, Text
from protection.choices import Readiness, RegionStatus
from protection.models import AccountRegion, SourceServer, TargetAccount
from protection.selectors import readiness_of


class ResolveIn(StrictSerializer):
    """Tags to resolve, in the account and Region that are named or in those of a group."""

    region = Text(max_length=32, required=False)
    tags = Tags(required=False, help_text="Pairs that a server must all have, exactly.")
    serverSelectionTags = Tags(required=False, help_text="The same as `tags`.")  # noqa: N815  # as the reference spells it
    accountId = Text(max_length=12, required=False, help_text="12 digits.")  # noqa: N815  # as above
    protectionGroupId = Id(required=False, help_text="In place of `accountId`.")  # noqa: N815  # as above


class ResolvedServer(serializers.Serializer[Any]):
    """A server, as the reference system names its facts. What is not known is null."""

    id = serializers.UUIDField()
    sourceServerID = serializers.CharField(source="server_id")  # noqa: N815  # as above
    arn = serializers.CharField()
    name = serializers.CharField()
    hostname = Known()
    os = Known()
    tags = serializers.DictField(child=serializers.CharField())
    region = serializers.CharField()
    accountId = serializers.CharField(source="account.account_id")  # noqa: N815  # as above
    sourceAccountId = Known(source="origin_account_id")  # noqa: N815  # as above
    sourceInstanceId = Known(source="origin_instance_id")  # noqa: N815  # as above
    stagingAccountId = Known(source="staging_account_id")  # noqa: N815  # as above
    replicationState = Known(source="replication_state")  # noqa: N815  # as above
    lagSeconds = Seconds(source="lag")  # noqa: N815  # as above
    readiness = serializers.ChoiceField(choices=Readiness.choices)
    readinessReason = serializers.CharField(help_text="Why; empty if READY.")  # noqa: N815  # as above


class Resolved(serializers.Serializer[Any]):
    """The servers that tags stand for, as their account and Region were last listed.

    Unless `regionStatus` is ACTIVE, that is what was known once, and not what is there.
    """

    region = serializers.CharField()
    accountId = serializers.CharField()  # noqa: N815  # as above
    tags = serializers.DictField(child=serializers.CharField())
    serverSelectionTags = serializers.DictField(  # noqa: N815  # as above
        child=serializers.CharField(), help_text="The same as `tags`."
    )
    resolvedServers = ResolvedServer(many=True)  # noqa: N815  # as above
    sourceServers = ResolvedServer(many=True, help_text="The same as `resolvedServers`.")  # noqa: N815  # as above
    serverCount = serializers.IntegerField()  # noqa: N815  # as above
    resolvedAt = serializers.DateTimeField()  # noqa: N815  # as above
    regionStatus = serializers.ChoiceField(choices=RegionStatus.choices)  # noqa: N815  # as above
    listedAt = serializers.DateTimeField(allow_null=True)  # noqa: N815  # as above


def resolved(
    servers: QuerySet[SourceServer], *, account: TargetAccount, region: str, tags: dict[str, str]
) -> dict[str, Any]:
    """The answer to a question for `tags`, which stand for `servers`."""
    where = AccountRegion.objects.filter(account=account, region=region).first()
    shown = []
    for server in servers.select_related("account"):
        found: Any = server
        verdict = readiness_of(server, where)
        found.readiness, found.readinessReason = verdict.readiness, verdict.reason
        shown.append(found)
    listed = ResolvedServer(shown, many=True).data
    return {
        "region": region,
        "accountId": account.account_id,
        "tags": tags,
        "serverSelectionTags": tags,
        "resolvedServers": listed,
        "sourceServers": listed,
        "serverCount": len(listed),
        "resolvedAt": timezone.now(),
        "regionStatus": where.status if where else RegionStatus.UNKNOWN,
        "listedAt": where.listed_at if where else None,
    }
