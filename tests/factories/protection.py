"""Accounts, Regions, servers, groups and sync runs, as rows: no service is asked."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory, Trait
from factory.django import DjangoModelFactory
from factory.helpers import post_generation

from protection.choices import RegionStatus, Selection, SyncKind, SyncState
from protection.models import (
    AccountRegion,
    GroupMember,
    GroupVersion,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
    StagingAccount,
    StagingLink,
    StagingServer,
    SyncRun,
    TargetAccount,
)
from protection.services.groups import document


class TargetAccountFactory(DjangoModelFactory[TargetAccount]):
    """A target account with a role and an external id; `hub=True` makes the hub."""

    class Meta:
        model = TargetAccount

    class Params:
        hub = Trait(is_hub=True, role_arn="", external_id="")

    account_id = Sequence(lambda n: f"{100_000_000_000 + n}")
    name = Sequence(lambda n: f"account {n:03}")
    role_arn = LazyAttribute(
        lambda account: f"arn:aws:iam::{account.account_id}:role/DRSOrchestrationRole"
    )
    external_id = Sequence(lambda n: f"never-shown-{n}")


class AccountRegionFactory(DjangoModelFactory[AccountRegion]):
    """A Region of an account that was listed a moment ago."""

    class Meta:
        model = AccountRegion
        django_get_or_create = ("account", "region")

    account = SubFactory(TargetAccountFactory)
    region = "us-east-1"
    status = RegionStatus.ACTIVE
    server_count = 1
    checked_at = LazyFunction(timezone.now)
    listed_at = LazyFunction(timezone.now)


class SourceServerFactory(DjangoModelFactory[SourceServer]):
    """A server that could be launched now, in a Region that was listed a moment ago."""

    class Meta:
        model = SourceServer
        skip_postgeneration_save = True

    account = SubFactory(TargetAccountFactory)
    region = "us-east-1"
    server_id = Sequence(lambda n: f"s-{n:017x}")
    arn = LazyAttribute(
        lambda server: (
            f"arn:aws:drs:{server.region}:{server.account.account_id}"
            f":source-server/{server.server_id}"
        )
    )
    name = Sequence(lambda n: f"server-{n:04}")
    hostname = LazyAttribute(lambda server: f"{server.name}.example.com")
    os = "Debian GNU/Linux 12"
    architecture = "X86_64"
    tags = LazyFunction(lambda: {"Environment": "production"})
    replication_state = "CONTINUOUS"
    lag = timedelta(0)
    first_synced = True
    fingerprint = Sequence(lambda n: f"{n:064x}")

    @post_generation  # type: ignore[untyped-decorator]  # factory_boy leaves it untyped
    def listed(self: Any, create: bool, wanted: Any, **_: Any) -> None:
        """`listed=False` leaves the row of the account's Region as it is, or away."""
        if create and wanted is not False:
            now = timezone.now()
            AccountRegion.objects.update_or_create(
                account=self.account,
                region=self.region,
                defaults={
                    "status": RegionStatus.ACTIVE,
                    "server_count": 1,
                    "checked_at": now,
                    "listed_at": now,
                },
            )


class ProtectionGroupFactory(DjangoModelFactory[ProtectionGroup]):
    """A group of explicit servers, one unless `servers=[...]`; with `tags={...}`, of tags. It
    comes with its first version.
    """

    class Meta:
        model = ProtectionGroup
        skip_postgeneration_save = True

    name = Sequence(lambda n: f"group {n:03}")
    account = SubFactory(TargetAccountFactory)
    region = "us-east-1"
    tags = LazyFunction(dict)
    selection = LazyAttribute(lambda group: Selection.TAGS if group.tags else Selection.SERVERS)

    @post_generation  # type: ignore[untyped-decorator]  # factory_boy leaves it untyped
    def servers(self: Any, create: bool, given: Any, **_: Any) -> None:
        if not create:
            return
        if not self.tags:
            servers = given or [SourceServerFactory(account=self.account, region=self.region)]
            GroupMember.objects.bulk_create(
                GroupMember(group=self, server=server) for server in servers
            )
        GroupVersion.objects.create(
            group=self, number=self.version, document=document(self), created_by="somebody"
        )


class SyncRunFactory(DjangoModelFactory[SyncRun]):
    """A sync that ended well."""

    class Meta:
        model = SyncRun

    kind = SyncKind.INVENTORY
    state = SyncState.COMPLETED
    requested_by = "schedule"
    finished_at = LazyFunction(timezone.now)


class StagingAccountFactory(DjangoModelFactory[StagingAccount]):
    """A staging account that serves `targets=[...]`; one of its own, unless they are given."""

    class Meta:
        model = StagingAccount
        skip_postgeneration_save = True

    account_id = Sequence(lambda n: f"{300_000_000_000 + n}")
    name = Sequence(lambda n: f"staging {n:03}")
    role_arn = LazyAttribute(
        lambda account: f"arn:aws:iam::{account.account_id}:role/DRSOrchestrationRole"
    )
    external_id = Sequence(lambda n: f"never-shown-either-{n}")

    @post_generation  # type: ignore[untyped-decorator]  # factory_boy leaves it untyped
    def targets(self: Any, create: bool, given: Any, **_: Any) -> None:
        if create:
            StagingLink.objects.bulk_create(
                StagingLink(target=target, staging=self, added_by="pat")
                for target in given or [TargetAccountFactory()]
            )


class StagingServerFactory(DjangoModelFactory[StagingServer]):
    """A server that a staging account holds for a target, not extended yet."""

    class Meta:
        model = StagingServer

    link = LazyFunction(lambda: StagingLink.objects.get(staging=StagingAccountFactory.create()))
    region = "us-east-1"
    hostname = Sequence(lambda n: f"staged-{n:04}")
    arn = Sequence(lambda n: f"arn:aws:drs:us-east-1:300000000000:source-server/s-{n:017x}")


class RecoveryInstanceFactory(DjangoModelFactory[RecoveryInstance]):
    """An instance that a drill left behind, in a Region that was listed a moment ago."""

    class Meta:
        model = RecoveryInstance
        skip_postgeneration_save = True

    account = SubFactory(TargetAccountFactory)
    region = "us-east-1"
    instance_id = Sequence(lambda n: f"i-{n:017x}")
    server_id = Sequence(lambda n: f"s-{n:017x}")
    job_id = Sequence(lambda n: f"drsjob-{n:017x}")
    name = Sequence(lambda n: f"instance-{n:04}")
    ec2_state = "RUNNING"
    is_drill = True
    instance_type = "m5.large"
    private_ip = "10.0.0.5"
    fingerprint = Sequence(lambda n: f"{n:064x}")

    @post_generation  # type: ignore[untyped-decorator]  # factory_boy leaves it untyped
    def listed(self: Any, create: bool, wanted: Any, **_: Any) -> None:
        """`listed=False` leaves the row of the account's Region as it is, or away."""
        if create and wanted is not False:
            AccountRegion.objects.update_or_create(
                account=self.account,
                region=self.region,
                defaults={
                    "instance_status": RegionStatus.ACTIVE,
                    "instance_count": 1,
                    "instances_listed_at": timezone.now(),
                },
            )
