"""Extending a staging account's server into its target: checked before, asked once, looked for.

DRS takes no idempotency token. So what is to be asked is written down before it is asked, the call
is made exactly once, and where its answer is lost, DRS is looked at: what it lists is extended.
What it does not list is not asked for again before its next try.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import Actor
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.kms import Key, key_of
from drportal.aws.quotas import drs_quotas
from drportal.aws.scope import Scope
from drportal.aws.staging import Extended, Extensions, encryption_of
from drportal.state import move_all
from protection.choices import EXTENSION, ExtensionState
from protection.models import StagingLink, StagingServer, SyncRun
from protection.rules import extension
from protection.rules.regions import status_of
from protection.services import sync_runs
from protection.services.sync_runs import Tally

_SEND_WITHIN = 60  # seconds; well before the run's lease ends and another may take over
_CUSTOM = "CUSTOM"
_LATER = "waits for its next try"
# After these, DRS may hold the server all the same, or say that it does already.
_LOOK_AFTER = frozenset({Failure.INVALID, Failure.CONFLICT})
# These concern everything that would be asked next, so nothing more is asked there in this run.
_STOP_AFTER = frozenset({Failure.THROTTLED, Failure.UNREACHABLE, Failure.CREDENTIALS})


@dataclass(frozen=True, slots=True)
class Place:
    """A target's staging account in one Region."""

    link: StagingLink
    region: str

    @property
    def target_scope(self) -> Scope:
        return self.link.target.scope(self.region)

    @property
    def staging_scope(self) -> Scope:
        return self.link.staging.scope(self.region)

    def rows(self) -> QuerySet[StagingServer]:
        """What is known of the servers here."""
        return StagingServer.objects.filter(link=self.link, region=self.region)

    def problem(self, error: AwsError) -> dict[str, str]:
        """What a run says of a place where AWS did not do what it was asked."""
        return {
            "account": error.context["account_id"],
            "region": self.region,
            "status": str(status_of(error)),
            "message": f"{error.context['operation']}: {error.message} (staging account "
            f"{self.link.staging.account_id} of target {self.link.target.account_id})",
        }


class CannotTell(Exception):
    """A check before the extension could not be made. `everywhere`: nor could that of the next."""

    def __init__(self, error: AwsError, *, everywhere: bool) -> None:
        super().__init__(error.detail)
        self.error = error
        self.everywhere = everywhere


@dataclass(slots=True)
class Findings:
    """What a run has learned so far, so that nothing is asked twice. An AwsError is a finding."""

    servers: dict[tuple[str, str], int | AwsError] = field(default_factory=dict)
    keys: dict[tuple[str, str, str], Key | AwsError] = field(default_factory=dict)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)


def extend_due(run: SyncRun, places: Sequence[Place], tally: Tally, *, actor: Actor) -> None:
    """Extend the servers of `places` whose time has come. `tally` says what became of them."""
    alive = partial(sync_runs.keep_alive, run)
    findings = Findings()
    for place in places:
        _extend_at(place, findings, tally, alive, actor=actor)


def _extend_at(
    place: Place, findings: Findings, tally: Tally, alive: Callable[[], None], *, actor: Actor
) -> None:
    waiting = place.rows().exclude(state=ExtensionState.EXTENDED)
    due = list(waiting.filter(Q(next_try_at=None) | Q(next_try_at__lte=timezone.now())))
    _count(tally, _LATER, waiting.count() - len(due))
    for number, row in enumerate(due):
        try:
            refusal = _refusal(place, row, findings, alive)
        except CannotTell as unknown:
            if unknown.everywhere:
                _nobody_can_tell(place, due[number:], unknown.error, tally)
                return
            _note(row, ExtensionState.UNKNOWN, unknown.error.detail)
            tally.failed += 1
            continue
        if refusal is not None:
            _note(row, ExtensionState.HELD_BACK, refusal.message)
            _count(tally, refusal.reason)
            continue
        alive()
        error = _extend(place, row, findings, tally, actor=actor)
        if error is not None and error.failure in _STOP_AFTER:
            tally.cannot(**place.problem(error))
            return


# Before: what speaks against it.


def _refusal(
    place: Place, row: StagingServer, findings: Findings, alive: Callable[[], None]
) -> extension.Refusal | None:
    """What speaks against extending the server; None if nothing. Raises CannotTell."""
    alive()
    servers = _servers(place.target_scope, findings)
    full = extension.no_room(servers, _limit(place.target_scope, findings))
    if full is not None:
        return full
    try:
        found = encryption_of(place.staging_scope, row.arn.rsplit("/", 1)[-1])
    except AwsError as error:
        raise CannotTell(error, everywhere=error.failure is not Failure.NOT_FOUND) from error
    refusal = extension.without_own_key(found.mode)
    if refusal is not None or found.mode != _CUSTOM:
        return refusal
    alive()
    key = _key(place.staging_scope, found.key_arn, findings)
    return extension.not_shareable(
        key.arn, customer_managed=key.customer_managed, enabled=key.enabled
    )


def _limit(scope: Scope, findings: Findings) -> int:
    """How many source servers DRS allows there: as Service Quotas tells, else as documented."""
    if scope.key not in findings.limits:
        findings.limits[scope.key] = drs_quotas(scope).source_servers.value
    return findings.limits[scope.key]


def _servers(scope: Scope, findings: Findings) -> int:
    """How many source servers the target has in the Region. Raises CannotTell."""
    if scope.key not in findings.servers:
        try:
            findings.servers[scope.key] = sum(1 for _ in Drs(scope).source_servers())
        except AwsError as error:
            findings.servers[scope.key] = error
    found = findings.servers[scope.key]
    if isinstance(found, AwsError):
        raise CannotTell(found, everywhere=True) from found
    return found


def _key(scope: Scope, key_arn: str, findings: Findings) -> Key:
    """Raises CannotTell."""
    name = (*scope.key, key_arn)
    if name not in findings.keys:
        try:
            findings.keys[name] = key_of(scope, key_arn)
        except AwsError as error:
            findings.keys[name] = error
    found = findings.keys[name]
    if isinstance(found, AwsError):
        raise CannotTell(found, everywhere=False) from found
    return found


def _nobody_can_tell(
    place: Place, rows: Sequence[StagingServer], error: AwsError, tally: Tally
) -> None:
    """The target or the staging account does not answer. What was known of a server stays; one of
    which nothing was known yet says why.
    """
    tally.scopes_failed += 1
    tally.cannot(**place.problem(error))
    for row in rows:
        told = (ExtensionState.UNKNOWN, error.detail)
        nothing_known = row.state in {ExtensionState.FOUND, ExtensionState.UNKNOWN}
        if nothing_known and (row.state, row.message) != told:
            _set(row, *told)


# The call, and what became of it.


def _extend(
    place: Place, row: StagingServer, findings: Findings, tally: Tally, *, actor: Actor
) -> AwsError | None:
    """Extend the server; returns what DRS said against it."""
    if not _write_down(row, place, actor=actor):
        _count(tally, "taken by another run")
        return None
    target = Extensions(place.target_scope)
    try:
        made = target.extend(row.arn, before=time.monotonic() + _SEND_WITHIN)
    except AwsError as error:
        found = _looked(target, place, row, error)
        if found is None:
            _failed(row, place, error, actor=actor)
            tally.failed += 1
            return error
        made = found
    _extended(row, place, made, actor=actor)
    _one_more(place.target_scope, findings)
    tally.added += 1
    return None


def _write_down(row: StagingServer, place: Place, *, actor: Actor) -> bool:
    """Note that DRS is about to be asked. False if somebody else has, since the row was read."""
    now = timezone.now()
    with transaction.atomic():
        as_read = StagingServer.objects.filter(pk=row.pk, attempts=row.attempts)
        taken = _change(
            row,
            as_read,
            ExtensionState.UNKNOWN,
            message="DRS was asked to extend it, and has not answered yet.",
            attempts=row.attempts + 1,
            tried_at=now,
            next_try_at=now + extension.wait_after(row.attempts + 1),
            changed_at=now,
        )
        if taken:
            _told("extension_asked", row, place, actor=actor)
    return taken


def _looked(
    target: Extensions, place: Place, row: StagingServer, error: AwsError
) -> Extended | None:
    """The extended server that DRS has although the call failed; None if it lists none."""
    if not error.ambiguous and error.failure not in _LOOK_AFTER:
        return None
    try:
        listed = target.extended(place.link.staging.account_id)
    except AwsError:
        return None
    return next((server for server in listed if server.staging_arn == row.arn), None)


def _extended(row: StagingServer, place: Place, made: Extended, *, actor: Actor) -> None:
    now = timezone.now()
    with transaction.atomic():
        _change(
            row,
            StagingServer.objects.filter(pk=row.pk),
            ExtensionState.EXTENDED,
            message=made.error,
            attempts=0,
            next_try_at=None,
            extended_at=now,
            changed_at=now,
        )
        _told("extended", row, place, actor=actor, server_id=made.server_id)


def _failed(row: StagingServer, place: Place, error: AwsError, *, actor: Actor) -> None:
    state, message = ExtensionState.FAILED, error.detail
    if error.ambiguous:
        # It may be extended yet; the next listing tells.
        state = ExtensionState.UNKNOWN
        message = f"DRS was asked to extend it, and the answer was lost. {error.detail}"
    with transaction.atomic():
        _set(row, state, message)
        record_failure(
            "protection.staging_server.extension_failed",
            actor=actor,
            subject=row,
            **_facts(row, place),
            failure=str(error.failure),
            detail=error.detail,
        )


def _one_more(scope: Scope, findings: Findings) -> None:
    known = findings.servers.get(scope.key)
    if isinstance(known, int):
        findings.servers[scope.key] = known + 1


# Rows.


def _note(row: StagingServer, state: ExtensionState, message: str) -> None:
    """Write down that a check says no, or could not be made, and when it is made again."""
    now = timezone.now()
    _set(
        row,
        state,
        message,
        attempts=row.attempts + 1,
        tried_at=now,
        next_try_at=now + extension.wait_after(row.attempts + 1),
    )


def _set(row: StagingServer, state: ExtensionState, message: str, **changes: Any) -> None:
    if (row.state, row.message) != (state, message):
        changes["changed_at"] = timezone.now()
    _change(row, StagingServer.objects.filter(pk=row.pk), state, message=message, **changes)


def _change(
    row: StagingServer, rows: QuerySet[StagingServer], state: ExtensionState, **changes: Any
) -> bool:
    """False if the row is not there, or not as it was read: its link was removed, perhaps."""
    if not move_all(rows, state, lifecycle=EXTENSION, source=row.state, **changes):
        return False
    for name, value in {"state": state, **changes}.items():
        setattr(row, name, value)
    return True


def _told(what: str, row: StagingServer, place: Place, *, actor: Actor, **facts: Any) -> None:
    event = f"protection.staging_server.{what}"
    record(event, actor=actor, subject=row, **_facts(row, place), **facts)


def _facts(row: StagingServer, place: Place) -> dict[str, str]:
    return {"arn": row.arn, "target": place.link.target.account_id, "region": place.region}


def _count(tally: Tally, reason: str, number: int = 1) -> None:
    if number:
        tally.skipped[reason] = tally.skipped.get(reason, 0) + number
