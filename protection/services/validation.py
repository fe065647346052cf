"""Validating an account: really going there, and looking whether a recovery would work.

Asked for here, carried out by a worker. A validation whose worker died is taken over; whatever AWS
does not answer is unknown, and only a validation all of whose checks passed makes an account a
validated one.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import PORTAL, Actor
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.state import move_all
from drportal.transactions import reaches_outside
from protection.choices import VALIDATION, ValidationState
from protection.errors import ValidationAlreadyRunning
from protection.models import AccountValidation, StagingAccount, TargetAccount
from protection.rules.validation import Check, overall
from protection.services import validation_checks

logger = logging.getLogger(__name__)

# A worker says that it is alive after each Region; the slowest answer takes less.
_LEASE: Final = timedelta(minutes=3)
# A validation that has not ended by then is given up.
GIVEN_UP_AFTER: Final = timedelta(minutes=30)
_KEPT: Final = 50  # of each account

AnyAccount = TargetAccount | StagingAccount


class _TakenOver(Exception):
    """Another worker has this validation."""


def ask(account: AnyAccount, *, actor: Actor) -> AccountValidation:
    """Ask a worker to validate an account. Raises ValidationAlreadyRunning."""
    give_up_dead()
    try:
        with transaction.atomic():
            validation = AccountValidation.objects.create(
                **_of(account), requested_by=actor.name, leased_until=timezone.now()
            )
            record(_event(account, "validation_requested"), actor=actor, subject=account)
            hint("protection.validate_account", validation_id=str(validation.pk))
    except IntegrityError as error:
        running = _running().filter(**_of(account)).first()
        if running is None:  # the account is gone, or the validation has just ended
            raise
        raise ValidationAlreadyRunning(account, running.pk) from error
    return validation


@reaches_outside
def carry_out(validation_id: UUID) -> None:
    """Validate, unless somebody is at it or it has ended. AWS's failures end in the checks."""
    if not _take(validation_id):
        return
    validation = AccountValidation.objects.select_related("target", "staging").get(pk=validation_id)
    account = _account(validation)
    checks: list[Check] = []
    try:
        for check in validation_checks.checks_of(account):
            checks.append(check)
            _keep(validation, checks)
        _finish(validation, account, checks)
    except _TakenOver:
        logger.warning("Another worker has taken over %s", validation_id)


def unattended() -> list[UUID]:
    """The running validations that no worker is at: their message was lost, or their worker."""
    return list(_running().filter(leased_until__lte=timezone.now()).values_list("pk", flat=True))


def give_up_dead() -> int:
    """End validations that have been running for too long, and return how many."""
    long_ago = timezone.now() - GIVEN_UP_AFTER
    dead = _running().filter(started_at__lte=long_ago, leased_until__lte=timezone.now())
    return move_all(
        dead,
        ValidationState.ABANDONED,
        lifecycle=VALIDATION,
        source=ValidationState.RUNNING,
        finished_at=timezone.now(),
        leased_until=None,
    )


def latest(account: AnyAccount) -> AccountValidation | None:
    """The validation that was asked for last, or None if none ever was."""
    return account.validations.order_by("-started_at", "id").first()


def latest_of(accounts: Iterable[TargetAccount]) -> dict[UUID, AccountValidation]:
    """The validation that was asked for last of each target account that has one. One query."""
    ordered = AccountValidation.objects.filter(target__in=[account.pk for account in accounts])
    newest = ordered.order_by("target_id", "-started_at", "id").distinct("target_id")
    return {found.target_id: found for found in newest if found.target_id is not None}


def _running() -> Any:
    return AccountValidation.objects.filter(state=ValidationState.RUNNING)


def _take(validation_id: UUID) -> bool:
    now = timezone.now()
    free = _running().filter(pk=validation_id, leased_until__lte=now)
    return bool(free.update(leased_until=now + _LEASE))


def _keep(validation: AccountValidation, checks: Iterable[Check]) -> None:
    """Show what was found so far, and say that the worker is alive."""
    until = timezone.now() + _LEASE
    mine = _running().filter(pk=validation.pk, leased_until=validation.leased_until)
    if not mine.update(leased_until=until, checks=[check.as_dict() for check in checks]):
        raise _TakenOver
    validation.leased_until = until


@transaction.atomic
def _finish(validation: AccountValidation, account: AnyAccount, checks: list[Check]) -> None:
    state = overall(checks)
    ended = move_all(
        _running().filter(pk=validation.pk, leased_until=validation.leased_until),
        state,
        lifecycle=VALIDATION,
        source=ValidationState.RUNNING,
        finished_at=timezone.now(),
        leased_until=None,
        checks=[check.as_dict() for check in checks],
    )
    if not ended:
        raise _TakenOver
    if state == ValidationState.PASSED:
        _is_valid(account)
    counts = {str(check.state): 0 for check in checks}
    for check in checks:
        counts[str(check.state)] += 1
    write = record if state == ValidationState.PASSED else record_failure
    write(_event(account, "validated"), actor=PORTAL, subject=account, state=str(state), **counts)
    _forget_old(account)


def _is_valid(account: AnyAccount) -> None:
    """Note that the account is validated, unless the way into it has changed meanwhile."""
    same = {"pk": account.pk, "role_arn": account.role_arn, "external_id": account.external_id}
    if type(account)._default_manager.filter(**same).update(last_validated_at=timezone.now()):
        kind = "TargetAccounts" if isinstance(account, TargetAccount) else "StagingAccounts"
        mark(kind, account.pk)


def _forget_old(account: AnyAccount) -> None:
    old = account.validations.order_by("-started_at", "id").values_list("pk", flat=True)[_KEPT:]
    AccountValidation.objects.filter(pk__in=list(old)).delete()


def _of(account: AnyAccount) -> dict[str, AnyAccount]:
    return {"target" if isinstance(account, TargetAccount) else "staging": account}


def _account(validation: AccountValidation) -> AnyAccount:
    found = validation.target or validation.staging
    if found is None:
        raise TypeError("a validation is of one account: a constraint holds it")
    return found


def _event(account: AnyAccount, what: str) -> str:
    kind = "account" if isinstance(account, TargetAccount) else "staging_account"
    return f"protection.{kind}.{what}"
