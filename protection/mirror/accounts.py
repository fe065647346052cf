"""What the mirror holds of accounts and their Regions. External ids stay in the database."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch, QuerySet

from drportal.aws.dynamodb import Item
from drportal.mirror.attributes import moment
from protection.models import AccountRegion, StagingAccount, StagingLink, TargetAccount


def target_accounts(accounts: QuerySet[TargetAccount]) -> Iterator[Item]:
    """An item for each target account."""
    for account in accounts:
        yield {
            "targetAccountId": str(account.pk),
            "accountId": account.account_id,
            "accountName": account.name,
            "status": "active" if account.active else "inactive",
            "isCurrentAccount": account.is_hub,
            "roleArn": account.role_arn,
            "hasExternalId": account.external_id_lost or bool(account.external_id),
            "lastValidatedAt": moment(account.last_validated_at),
            "createdAt": moment(account.created_at),
            "updatedAt": moment(account.updated_at),
        }


def staging_accounts(accounts: QuerySet[StagingAccount]) -> Iterator[Item]:
    """An item for each staging account, with the targets that it serves."""
    links = StagingLink.objects.select_related("target").order_by("added_at", "id")
    for account in accounts.prefetch_related(Prefetch("links", links)):
        yield {
            "stagingAccountId": str(account.pk),
            "accountId": account.account_id,
            "accountName": account.name,
            "roleArn": account.role_arn,
            "hasExternalId": account.external_id_lost or bool(account.external_id),
            "targets": [_link(link) for link in account.links.all()],
            "lastValidatedAt": moment(account.last_validated_at),
            "createdAt": moment(account.created_at),
            "updatedAt": moment(account.updated_at),
        }


def _link(link: StagingLink) -> Item:
    return {
        "targetAccountId": str(link.target.pk),
        "accountId": link.target.account_id,
        "addedAt": moment(link.added_at),
        "addedBy": link.added_by,
    }


def region_status(regions: QuerySet[AccountRegion]) -> Iterator[Item]:
    """An item for each Region of an account."""
    for region in regions.select_related("account"):
        yield {
            "regionStatusId": str(region.pk),
            "targetAccountId": str(region.account.pk),
            "accountId": region.account.account_id,
            "region": region.region,
            "status": region.status,
            "errorMessage": region.message,
            "serverCount": region.server_count,
            "lastUpdated": moment(region.changed_at),
            "listedAt": moment(region.listed_at),
            "instanceStatus": region.instance_status,
            "instanceErrorMessage": region.instance_message,
            "instanceCount": region.instance_count,
            "instancesListedAt": moment(region.instances_listed_at),
            "originFactsAt": moment(region.origin_facts_at),
            "originErrorMessage": region.origin_message,
        }


def lacking_target_ids() -> str:
    """How many target accounts wait for their external id."""
    return _lacking(TargetAccount.objects.all(), "target")


def lacking_staging_ids() -> str:
    """How many staging accounts wait for their external id."""
    return _lacking(StagingAccount.objects.all(), "staging")


def _lacking(accounts: QuerySet[Any], what: str) -> str:
    count = accounts.filter(external_id_lost=True, external_id="").count()
    return f"The external ids of {count} {what} accounts must be entered again." if count else ""
