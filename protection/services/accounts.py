"""Target accounts: registering, editing and deleting them, and the template of their role."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.aws.regions import watched_regions
from drportal.errors import InvalidInput
from drportal.mirror.services import mark
from protection.errors import (
    AccountAlreadyRegistered,
    AccountInUse,
    HubAlreadyRegistered,
    HubHasNoRole,
    InvalidAccount,
    InvalidRoleArn,
)
from protection.models import AccountRegion, GroupMember, TargetAccount
from protection.rules import roles
from protection.services import staging
from protection.services.marks import mark_with_account

_EDITABLE = frozenset({"name", "role_arn", "external_id", "active"})
_WAY_IN = frozenset({"role_arn", "external_id"})


def register(
    *,
    account_id: str,
    name: str,
    is_hub: bool = False,
    role_arn: str = "",
    external_id: str = "",
    actor: Actor,
) -> TargetAccount:
    """Register an account. Without a role ARN it gets the default role's, without an external id
    one made at random; the hub has neither. Nothing is asked of AWS. Raises InvalidInput,
    AccountAlreadyRegistered and HubAlreadyRegistered.
    """
    account = TargetAccount(account_id=account_id, name=name.strip(), is_hub=is_hub)
    account.role_arn = role_arn or ("" if is_hub else roles.default_role_arn(account_id))
    account.external_id = external_id or ("" if is_hub else roles.new_external_id())
    _must_be_valid(account)
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            AccountRegion.objects.bulk_create(
                AccountRegion(account=account, region=region)
                for region in watched_regions(account.partition)
            )
            _saved("registered", account, actor=actor, name=account.name, hub=is_hub)
            _mark_regions(account)
    except IntegrityError as error:
        raise _in_words(error, account) from error
    return account


def edit(account: TargetAccount, *, actor: Actor, **changes: Any) -> TargetAccount:
    """Change an account's name, role, external id or whether it is active.

    The account id and the hub flag are fixed. With another role or external id the account is no
    longer a validated one. Raises InvalidInput.
    """
    unknown = changes.keys() - _EDITABLE
    if unknown:
        raise InvalidInput.field(min(unknown), "fixed", "This cannot be changed.")
    with transaction.atomic():
        account = TargetAccount.objects.select_for_update().get(pk=account.pk)
        before = {field: getattr(account, field) for field in changes}
        for field, value in changes.items():
            setattr(account, field, value.strip() if isinstance(value, str) else value)
        _must_be_valid(account)
        changed = {f: getattr(account, f) for f in changes if getattr(account, f) != before[f]}
        if not changed:
            return account
        account.updated_at = timezone.now()
        if _WAY_IN & changed.keys():
            account.last_validated_at = None
        account.external_id_lost = account.external_id_lost and "external_id" not in changed
        columns = ["updated_at", "last_validated_at", "external_id_lost"]
        account.save(update_fields=[*changed, *columns])
        _saved("edited", account, actor=actor, old={f: before[f] for f in changed}, new=changed)
    return account


def delete(account: TargetAccount, *, actor: Actor) -> None:
    """Forget an account, with its inventory. Raises AccountInUse while groups or executions need
    it, and names them. What was launched there stays in the history of its executions.
    """
    with transaction.atomic():
        staging.remove_all(account, actor=actor)
        mark_with_account(account)
        _saved("deleted", account, actor=actor, name=account.name)
        try:
            account.delete()
        except ProtectedError as error:
            raise AccountInUse(account, _users(error)) from error


def _users(error: ProtectedError) -> list[object]:
    """What needs the account. A group's servers are not named one by one: the group is."""
    return [user for user in error.protected_objects if not isinstance(user, GroupMember)]


def _must_be_valid(account: TargetAccount) -> None:
    errors = [*roles.identity_errors(account.account_id, account.name), *_role_errors(account)]
    if errors:
        sort = _SORTS.get(errors[0]["code"], InvalidAccount)
        raise sort("The account is not valid.", errors=errors)


_SORTS: dict[str, type[InvalidInput]] = {
    sort.known_as: sort for sort in (InvalidAccount, InvalidRoleArn, HubHasNoRole)
}


def _role_errors(account: TargetAccount) -> list[roles.Complaint]:
    if not account.is_hub:
        return roles.role_errors(account.account_id, account.role_arn, account.external_id)
    if account.role_arn or account.external_id:
        message = "The hub is entered without a role."
        return [roles.complaint("role_arn", HubHasNoRole.known_as, message)]
    return []


def _saved(what: str, account: TargetAccount, *, actor: Actor, **facts: Any) -> None:
    record(f"protection.account.{what}", actor=actor, subject=account, **facts)
    mark("TargetAccounts", account.pk)


def _mark_regions(account: TargetAccount) -> None:
    mark("RegionStatus", *account.regions.values_list("id", flat=True))


def _in_words(error: IntegrityError, account: TargetAccount) -> Exception:
    if "protection_one_hub" in str(error):
        return HubAlreadyRegistered()
    if "account_id" in str(error):
        return AccountAlreadyRegistered(account.account_id)
    return error
