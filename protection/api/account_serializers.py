"""What requests about target accounts hold, and how accounts and validations are shown."""

from typing import Any

from rest_framework import serializers

from drportal.api.serializers import Flag, Known, StrictSerializer, Text
from protection.choices import CheckState
from protection.models import AccountRegion, AccountValidation, TargetAccount


class AccountIn(StrictSerializer):
    """An account to register."""

    account_id = Text(max_length=12, help_text="12 digits.")
    name = Text(max_length=64)
    is_hub = Flag(default=False, help_text="The portal's own account, entered without a role.")
    role_arn = Text(
        max_length=600,
        required=False,
        allow_blank=True,
        help_text="Left out, it is that of the role DRSOrchestrationRole in the account.",
    )
    external_id = Text(
        max_length=1224,
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="What the role's trust asks for. Never shown. Left out, one is made.",
    )


class AccountEdit(StrictSerializer):
    """An account as it is to be. The account id and the hub are fixed."""

    name = Text(max_length=64)
    role_arn = Text(
        max_length=600, allow_blank=True, help_text="Only the hub has none: it is not made up."
    )
    active = Flag(help_text="Whether it is listed and recovered into.")
    external_id = Text(
        max_length=1224,
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="Never shown. Left out, it stays as it is.",
    )


class AccountOut(serializers.ModelSerializer[TargetAccount]):
    """A target account. Its external id is a secret, and only whether there is one is said.

    `last_validated_at` is when a validation last passed all of its checks; null if none did since
    the role or the external id was changed.
    """

    has_external_id = serializers.SerializerMethodField()

    class Meta:
        model = TargetAccount
        fields = (
            "id",
            "account_id",
            "name",
            "is_hub",
            "role_arn",
            "has_external_id",
            "active",
            "last_validated_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_has_external_id(self, account: TargetAccount) -> bool:
        return bool(account.external_id)


class CurrentAccount(serializers.Serializer[Any]):
    """The account that the portal runs in. `id` and `name` are null if it is not registered."""

    account_id = serializers.CharField()
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class RegionOut(serializers.ModelSerializer[AccountRegion]):
    """What one Region of an account last answered.

    `server_count` is of the last complete listing, at `listed_at`; null if there was none.
    """

    message = Known(help_text="Why it does not answer.")

    class Meta:
        model = AccountRegion
        fields = ("region", "status", "message", "server_count", "checked_at", "listed_at")
        read_only_fields = fields


class CheckOut(serializers.Serializer[Any]):
    """What one check found."""

    region = Known(help_text="Null for what concerns the whole account.")
    name = serializers.CharField(help_text="role, regions, drs, quotas or permissions.")
    state = serializers.ChoiceField(choices=CheckState.choices)
    detail = serializers.CharField()
    remedy = Known(help_text="What to do about it; null if it passed.")


class ValidationOut(serializers.ModelSerializer[AccountValidation]):
    """One validation. While it is RUNNING, `checks` are those that were made so far."""

    checks = CheckOut(many=True, read_only=True)

    class Meta:
        model = AccountValidation
        fields = ("id", "state", "requested_by", "started_at", "finished_at", "checks")
        read_only_fields = fields
