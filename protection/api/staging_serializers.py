"""What requests about staging accounts hold, and how they are shown: named as in the reference."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known, StrictSerializer, Text
from protection.choices import ExtensionState
from protection.models import StagingAccount, StagingServer

_ROLE = "Left out, it is that of the role DRSOrchestrationRole in the account."
_SECRET = "What the role's trust asks for. Never shown."  # noqa: S105  # a help text


def _name(**more: Any) -> Text:
    return Text(max_length=64, source="name", **more)


def _role_arn(**more: Any) -> Text:
    return Text(max_length=600, source="role_arn", **more)


def _external_id(help_text: str) -> Text:
    return Text(
        max_length=1224,
        source="external_id",
        required=False,
        allow_blank=True,
        write_only=True,
        help_text=help_text,
    )


class StagingIn(StrictSerializer):
    """A staging account to add."""

    accountId = Text(max_length=12, source="account_id", help_text="12 digits.")  # noqa: N815  # as in the reference
    accountName = _name(required=False, allow_blank=True)  # noqa: N815  # as in the reference
    roleArn = _role_arn(required=False, allow_blank=True, help_text=_ROLE)  # noqa: N815  # as in the reference
    externalId = _external_id(f"{_SECRET} Left out, one is made.")  # noqa: N815  # as in the reference


class StagingAdd(StrictSerializer):
    """A staging account to add, in an object of its own."""

    stagingAccount = StagingIn()  # noqa: N815  # as in the reference


class StagingEdit(StrictSerializer):
    """A staging account as it is to be. Its account id is fixed."""

    accountName = _name()  # noqa: N815  # as in the reference
    roleArn = _role_arn()  # noqa: N815  # as in the reference
    externalId = _external_id(f"{_SECRET} Left out, it stays as it is.")  # noqa: N815  # as in the reference


class EntryIn(StrictSerializer):
    """An account to enter, to see whether it could be a staging account."""

    accountId = Text(max_length=12, source="account_id", help_text="12 digits.")  # noqa: N815  # as in the reference
    roleArn = _role_arn(required=False, allow_blank=True, default="", help_text=_ROLE)  # noqa: N815  # as in the reference
    externalId = _external_id(_SECRET)  # noqa: N815  # as in the reference
    region = Text(max_length=32)


class StagingOut(serializers.ModelSerializer[StagingAccount]):
    """A staging account. Its external id is a secret, and only whether there is one is said.

    The context holds `links`: the rows that say since when it serves the target, by its id.
    """

    accountId = serializers.CharField(source="account_id")  # noqa: N815  # as in the reference
    accountName = serializers.CharField(source="name")  # noqa: N815  # as in the reference
    roleArn = serializers.CharField(source="role_arn")  # noqa: N815  # as in the reference
    hasExternalId = serializers.SerializerMethodField()  # noqa: N815  # as in the reference
    lastValidated = serializers.DateTimeField(source="last_validated_at")  # noqa: N815  # as in the reference
    addedAt = serializers.SerializerMethodField()  # noqa: N815  # as in the reference
    addedBy = serializers.SerializerMethodField()  # noqa: N815  # as in the reference

    class Meta:
        model = StagingAccount
        fields = (
            "accountId",
            "accountName",
            "roleArn",
            "hasExternalId",
            "lastValidated",
            "addedAt",
            "addedBy",
        )
        read_only_fields = fields

    def get_hasExternalId(self, staging: StagingAccount) -> bool:  # noqa: N802  # after its field
        return bool(staging.external_id)

    @extend_schema_field(serializers.DateTimeField())
    def get_addedAt(self, staging: StagingAccount) -> Any:  # noqa: N802  # after its field
        return self.context["links"][staging.pk].added_at

    def get_addedBy(self, staging: StagingAccount) -> str:  # noqa: N802  # after its field
        return str(self.context["links"][staging.pk].added_by)


class StagingAdded(serializers.Serializer[Any]):
    """That a staging account was added, and all that the target has now."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    stagingAccounts = StagingOut(many=True)  # noqa: N815  # as in the reference


class StagingServerOut(serializers.ModelSerializer[StagingServer]):
    """A server of a staging account: how it stands towards the target, and why."""

    hostname = Known()
    message = Known(help_text="Why it is not extended, or what is wrong with its extension.")
    state = serializers.ChoiceField(choices=ExtensionState.choices)
    triedAt = serializers.DateTimeField(source="tried_at")  # noqa: N815  # as the account's names
    nextTryAt = serializers.DateTimeField(source="next_try_at")  # noqa: N815  # as the account's names
    extendedAt = serializers.DateTimeField(source="extended_at")  # noqa: N815  # as the account's names
    firstSeenAt = serializers.DateTimeField(source="first_seen_at")  # noqa: N815  # as the account's names

    class Meta:
        model = StagingServer
        fields = (
            "arn",
            "hostname",
            "region",
            "state",
            "message",
            "attempts",
            "triedAt",
            "nextTryAt",
            "extendedAt",
            "firstSeenAt",
        )
        read_only_fields = fields


class FoundOut(serializers.Serializer[Any]):
    """A staging account that the target does not have yet, and by what it was noticed."""

    accountId = serializers.CharField(source="account_id")  # noqa: N815  # as in the reference
    accountName = Known(source="name", help_text="If it serves another target already.")  # noqa: N815  # as in the reference
    regions = serializers.SerializerMethodField()
    inInventory = serializers.BooleanField(source="in_inventory")  # noqa: N815  # as the others
    hasExtended = serializers.BooleanField(source="has_extended")  # noqa: N815  # as the others
    hasExtensible = serializers.BooleanField(source="has_extensible")  # noqa: N815  # as the others

    def get_regions(self, found: Any) -> list[str]:
        return sorted(found.regions)


class MissingOut(serializers.Serializer[Any]):
    """What could not be found out, so that the list may lack something."""

    region = serializers.CharField()
    what = serializers.CharField()
    message = serializers.CharField()


class DiscoveryOut(serializers.Serializer[Any]):
    """What was found. Only with an empty `missing` is that all there is."""

    stagingAccounts = FoundOut(many=True, source="found")  # noqa: N815  # as in the reference
    missing = MissingOut(many=True)


class EntryOut(serializers.Serializer[Any]):
    """What became of entering the account. What could not be found out is null."""

    valid = serializers.BooleanField(help_text="It was entered, and DRS is initialized there.")
    roleAccessible = serializers.BooleanField(source="entered", allow_null=True)  # noqa: N815  # as in the reference
    drsInitialized = serializers.BooleanField(source="initialized", allow_null=True)  # noqa: N815  # as in the reference
    currentServers = serializers.IntegerField(source="servers", allow_null=True)  # noqa: N815  # as in the reference
    replicatingServers = serializers.IntegerField(source="replicating", allow_null=True)  # noqa: N815  # as in the reference
    totalAfter = serializers.IntegerField(  # noqa: N815  # as in the reference
        source="replicating",
        allow_null=True,
        help_text="Replicating servers that the account brings: its own count, as quotas hold per "
        "account and are not added up.",
    )
    error = Known(help_text="Why something could not be found out.")
