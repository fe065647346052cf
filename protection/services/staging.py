"""Staging accounts of target accounts: adding, editing and removing them, and asking for a sync."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import InvalidInput, NotFound
from drportal.mirror.services import mark
from protection.choices import ExtensionState, SyncKind
from protection.errors import StagingAccountAlreadyLinked, StagingAccountDiffers
from protection.models import StagingAccount, StagingLink, StagingServer, TargetAccount
from protection.rules import roles
from protection.rules.extension import FIRST_WAIT
from protection.services import sync_runs

_WAY_IN = frozenset({"role_arn", "external_id"})
_EDITABLE = _WAY_IN | {"name"}


def add(
    target: TargetAccount,
    *,
    account_id: str,
    name: str = "",
    role_arn: str = "",
    external_id: str = "",
    actor: Actor,
) -> StagingAccount:
    """Let a staging account serve `target`. What is left out is made: the default role's ARN and a
    random external id.

    One that serves another target already is linked as it is known; what is given otherwise is
    refused, not passed over. Nothing is asked of AWS. Raises InvalidInput,
    StagingAccountAlreadyLinked and StagingAccountDiffers.
    """
    given = {"name": name.strip(), "role_arn": role_arn.strip(), "external_id": external_id.strip()}
    wanted = _wanted(target, account_id.strip(), given)
    with transaction.atomic():
        staging, made = _found_or_made(wanted)
        if not made:
            _must_not_differ(staging, given)
            _must_be_in_partition(target, staging.role_arn)
        try:
            with transaction.atomic():
                StagingLink.objects.create(target=target, staging=staging, added_by=actor.name)
        except IntegrityError as error:
            if "protection_staging_account_once_in_a_target" in str(error):
                raise StagingAccountAlreadyLinked(target, staging.account_id) from error
            raise
        _saved("added", staging, target, actor=actor, name=staging.name, role_arn=staging.role_arn)
    return staging


def edit(staging: StagingAccount, *, actor: Actor, **changes: Any) -> StagingAccount:
    """Change a staging account's name, role or external id, for every target that it serves.

    The account id is fixed. With another role or external id the account is no longer a validated
    one. Raises InvalidInput.
    """
    unknown = changes.keys() - _EDITABLE
    if unknown:
        raise InvalidInput.field(min(unknown), "fixed", "This cannot be changed.")
    with transaction.atomic():
        staging = _locked(staging)
        before = {field: getattr(staging, field) for field in changes}
        for field, value in changes.items():
            setattr(staging, field, value.strip())
        _must_be_valid(staging)
        for target in staging.targets.all():
            _must_be_in_partition(target, staging.role_arn)
        changed = {f: getattr(staging, f) for f in changes if getattr(staging, f) != before[f]}
        if not changed:
            return staging
        staging.updated_at = timezone.now()
        if _WAY_IN & changed.keys():
            staging.last_validated_at = None
        staging.external_id_lost = staging.external_id_lost and "external_id" not in changed
        columns = ["updated_at", "last_validated_at", "external_id_lost"]
        staging.save(update_fields=[*changed, *columns])
        old = {field: before[field] for field in changed}
        record(
            "protection.staging_account.edited", actor=actor, subject=staging, old=old, new=changed
        )
        mark("StagingAccounts", staging.pk)
    return staging


def remove(target: TargetAccount, staging: StagingAccount, *, actor: Actor) -> None:
    """Let a staging account serve `target` no more; with its last target, it is forgotten.

    Servers that were extended stay as they are in AWS. Raises NotFound.
    """
    with transaction.atomic():
        _unlink(target, _locked(staging), actor=actor)


def remove_all(target: TargetAccount, *, actor: Actor) -> None:
    """Let no staging account serve `target` any more: it is about to be deleted.

    Call it in the transaction that deletes.
    """
    linked = StagingAccount.objects.filter(targets=target).order_by("pk")
    for staging in linked.select_for_update(of=("self",)):
        _unlink(target, staging, actor=actor)


def ask_for_sync(target: TargetAccount, *, actor: Actor) -> None:
    """Ask a worker to extend the target's staging servers now, those too that wait for their next
    try. Raises SyncAlreadyRunning.
    """
    with transaction.atomic():
        waiting = StagingServer.objects.filter(link__target=target, next_try_at__isnull=False)
        # What DRS was asked for without an answer keeps its time: DRS may list it any moment.
        asked = Q(state=ExtensionState.UNKNOWN, tried_at__gt=timezone.now() - FIRST_WAIT)
        count = waiting.exclude(asked).update(next_try_at=None)
        record("protection.staging.sync_requested", actor=actor, subject=target, cleared=count)
        sync_runs.ask(SyncKind.STAGING, actor=actor)


def _wanted(target: TargetAccount, account_id: str, given: Mapping[str, str]) -> StagingAccount:
    """The staging account as it would be made anew. Raises InvalidInput."""
    wanted = StagingAccount(
        account_id=account_id,
        name=given["name"] or f"Account {account_id}",
        role_arn=given["role_arn"]
        or roles.default_role_arn(account_id, partition=target.partition),
        external_id=given["external_id"] or roles.new_external_id(),
    )
    _must_be_valid(wanted)
    if account_id == target.account_id:
        message = "This is the target account itself."
        raise InvalidInput.field("account_id", "is_the_target", message)
    _must_be_in_partition(target, wanted.role_arn)
    return wanted


def _found_or_made(wanted: StagingAccount) -> tuple[StagingAccount, bool]:
    """The known account, locked, so that nobody removes its last link meanwhile; else the new."""
    known = StagingAccount.objects.select_for_update().filter(account_id=wanted.account_id)
    found = known.first()
    if found is not None:
        return found, False
    try:
        with transaction.atomic():
            wanted.save(force_insert=True)
    except IntegrityError:
        # Somebody else has just made it.
        return known.get(), False
    return wanted, True


def _must_not_differ(known: StagingAccount, given: Mapping[str, str]) -> None:
    differing = [
        field for field, value in given.items() if value not in {"", getattr(known, field)}
    ]
    if differing:
        raise StagingAccountDiffers(known.account_id, differing)


def _must_be_valid(staging: StagingAccount) -> None:
    errors = [
        *roles.identity_errors(staging.account_id, staging.name),
        *roles.role_errors(staging.account_id, staging.role_arn, staging.external_id),
    ]
    if errors:
        raise InvalidInput("The staging account is not valid.", errors=errors)


def _must_be_in_partition(target: TargetAccount, role_arn: str) -> None:
    # DRS extends from commercial to commercial and from GovCloud to GovCloud only (user guide).
    # The hub has no role that would say which partition it is in.
    if target.role_arn and roles.partition_of(role_arn) != target.partition:
        message = "The role is in another partition of AWS than the target account."
        raise InvalidInput.field("role_arn", "other_partition", message)


def _locked(staging: StagingAccount) -> StagingAccount:
    found = StagingAccount.objects.select_for_update().filter(pk=staging.pk).first()
    if found is None:
        raise NotFound(f"{staging} is no longer a staging account.")
    return found


def _unlink(target: TargetAccount, staging: StagingAccount, *, actor: Actor) -> None:
    gone, _ = StagingLink.objects.filter(target=target, staging=staging).delete()
    if not gone:
        raise NotFound(f"{staging} is no staging account of {target}.")
    _saved("removed", staging, target, actor=actor, name=staging.name)
    if not staging.links.exists():
        staging.delete()


def _saved(
    what: str, staging: StagingAccount, target: TargetAccount, *, actor: Actor, **facts: Any
) -> None:
    record(
        f"protection.staging_account.{what}",
        actor=actor,
        subject=staging,
        target=target.account_id,
        **facts,
    )
    mark("StagingAccounts", staging.pk)
    mark("TargetAccounts", target.pk)
