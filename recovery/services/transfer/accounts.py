"""Bringing in target accounts and staging accounts."""

from drportal.errors import InvalidInput
from protection.models import StagingAccount, TargetAccount
from protection.services import accounts, staging
from recovery import configuration
from recovery.services.transfer.outcome import Fate
from recovery.services.transfer.part import Part


def target_account(part: Part) -> Fate:
    """Register a target account, or make it what the document says. The hub stays the hub."""
    entry = part.entry
    account = TargetAccount.objects.filter(account_id=entry["account_id"]).first()
    if account is None:
        _register(part)
        return Fate.CREATED
    told = configuration.accounts(account_ids=[account.account_id])
    left = part.leave(told[0])
    if left is not None:
        return left
    if account.is_hub != entry["hub"]:
        raise InvalidInput.field(
            "hub", "fixed", "An account cannot become the hub, or cease to be."
        )
    accounts.edit(
        account,
        name=entry["name"],
        active=entry["active"],
        role_arn=entry["role_arn"],
        actor=part.actor,
    )
    return Fate.UPDATED


def _register(part: Part) -> None:
    entry = part.entry
    made = accounts.register(
        account_id=entry["account_id"],
        name=entry["name"],
        is_hub=entry["hub"],
        role_arn=entry["role_arn"],
        actor=part.actor,
    )
    if not entry["active"]:
        accounts.edit(made, active=False, actor=part.actor)
    if made.external_id:
        told = "A new external id was made: put it into the trust of the account's role."
        part.warn("EXTERNAL_ID_MADE", told)


def staging_account(part: Part) -> Fate:
    """Add a staging account to its targets, or make it what the document says.

    A target that the document does not name keeps it: nothing is ever taken away.
    """
    entry = part.entry
    account = StagingAccount.objects.filter(account_id=entry["account_id"]).first()
    if account is not None:
        told = configuration.staging_accounts(account_ids=[account.account_id])
        left = part.leave(told[0])
        if left is not None:
            return left
        staging.edit(account, name=entry["name"], role_arn=entry["role_arn"], actor=part.actor)
    _link(part, account)
    return Fate.UPDATED if account is not None else Fate.CREATED


def _link(part: Part, there: StagingAccount | None) -> None:
    entry = part.entry
    linked = {target.account_id for target in there.targets.all()} if there is not None else set()
    for place, account_id in enumerate(entry["targets"]):
        if account_id in linked:
            continue
        target = TargetAccount.objects.filter(account_id=account_id).first()
        if target is None:
            told = f"There is no target account {account_id}."
            raise InvalidInput.field(f"targets[{place}]", "TARGET_ACCOUNT_NOT_FOUND", told)
        staging.add(
            target,
            account_id=entry["account_id"],
            name=entry["name"],
            role_arn=entry["role_arn"],
            actor=part.actor,
        )
    if there is None:
        told = "A new external id was made: put it into the trust of the account's role."
        part.warn("EXTERNAL_ID_MADE", told)
