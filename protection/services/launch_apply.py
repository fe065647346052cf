"""Applying a group's launch settings to its servers, in the background.

What is applied is what the settings said when it was asked for. An apply is held by a lease while
a worker carries it out. One whose worker died, or that waits for AWS, goes on once its lease has
run out: beat looks for those.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import Actor
from drportal.aws.errors import AwsError
from drportal.jobs import hint
from drportal.observability import correlated, correlation_id
from drportal.state import StaleState, move, move_all
from drportal.transactions import reaches_outside
from protection.choices import APPLIED, APPLY, AppliedState, ApplyState, DriftState
from protection.errors import ApplyInProgress, GroupIsEmpty, NothingToApply
from protection.models import (
    LaunchApply,
    LaunchApplyServer,
    LaunchStanding,
    ProtectionGroup,
)
from protection.rules import launch as rules
from protection.selectors import launch_levels, servers_chosen
from protection.services import launch_wanted
from protection.services import launch_writing as writing
from protection.services.holds import holders_of, holds_still, must_not_be_held
from protection.services.launch_validation import Answers

LIVE = launch_wanted.LIVE
_THREADS = 4
_LEASE = timedelta(minutes=2)
_LOOK = 15.0  # seconds between two signs of life
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=5)
# With those waits between them, about forty minutes in which AWS may come back.
MOST_ATTEMPTS = 12


class _Stopped(Exception):
    """The apply is no longer ours to carry out, or must not be carried out now."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a server this time.

    `waits` says that AWS may do it later, `unknown` that it may have done it without saying so.
    """

    server: LaunchApplyServer
    problems: tuple[str, ...] = ()
    template_version: int | None = None
    waits: bool = False
    unknown: bool = False
    retry_after: float | None = None


def ask(
    group: ProtectionGroup,
    *,
    only_failed: bool = False,
    force: bool = False,
    unverified: bool = False,
    actor: Actor,
) -> LaunchApply:
    """Ask for a group's launch settings to be applied, as they are now.

    With `only_failed`, to those servers to which it failed the last time. With `force`, one that
    no worker has begun is given up for this one. With `unverified`, what AWS may not be asked
    about does not block, which the audit record says. Raises ApplyInProgress, GroupIsEmpty,
    NothingToApply, and GroupHeld while something relies on the group as it is.
    """
    with transaction.atomic():
        group = ProtectionGroup.objects.select_for_update(no_key=True).get(pk=group.pk)
        must_not_be_held(group)
        must_be_idle(group, force=force)
        wanted = _wanted(group, only_failed=only_failed)
        apply = LaunchApply.objects.create(
            group=group, requested_by=actor.name[:254], unverified=unverified
        )
        LaunchApplyServer.objects.bulk_create(
            LaunchApplyServer(apply=apply, server_id=pk, values=values)
            for pk, values in wanted.items()
        )
        record(
            "protection.launch_apply.requested",
            actor=actor,
            subject=group,
            apply=str(apply.pk),
            servers=len(wanted),
            only_failed=only_failed,
            unverified=unverified,
        )
        hint("protection.apply_launch_settings", apply_id=str(apply.pk))
    return apply


def due() -> list[UUID]:
    """The applies that nobody carries out now, although they are to be."""
    return list(_claimable().order_by("created_at").values_list("pk", flat=True))


@reaches_outside
def carry_out(apply_id: UUID, *, actor: Actor) -> None:
    """Apply what is left of an apply, unless somebody else does. Twice does no harm."""
    apply = _claimed(apply_id)
    if apply is None:
        return
    left = list(apply.servers.filter(state=AppliedState.PENDING).select_related("server"))
    stop = Event()
    later: list[_Outcome] = []
    try:
        for outcome in _outcomes(apply, left, stop):
            if outcome.waits and outcome.server.attempts < MOST_ATTEMPTS:
                later.append(outcome)
                _note_wait(outcome)
            else:
                _note(apply, outcome)
    except _Stopped:
        return
    _settle(apply, later, actor=actor)


def _claimable() -> QuerySet[LaunchApply]:
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    return LaunchApply.objects.filter(free, state__in=LIVE)


def _claimed(apply_id: UUID) -> LaunchApply | None:
    """The apply, held by this worker from now on; None if it is not to be carried out now."""
    held = {"leased_until": timezone.now() + _LEASE, "lease_token": uuid.uuid4()}
    mine = _claimable().filter(pk=apply_id)
    if not mine.update(**held):
        return None
    apply = LaunchApply.objects.select_related("group__account").get(pk=apply_id)
    if apply.state == ApplyState.PENDING:
        try:
            move(apply, ApplyState.RUNNING, lifecycle=APPLY, started_at=timezone.now())
        except StaleState:  # it was given up for another
            return None
    return apply


def _keep(apply: LaunchApply) -> None:
    """Say that the apply is alive, and look whether it may go on. Raises _Stopped."""
    mine = LaunchApply.objects.filter(
        pk=apply.pk, lease_token=apply.lease_token, state=ApplyState.RUNNING
    )
    if not mine.update(leased_until=timezone.now() + _LEASE):
        raise _Stopped


def _outcomes(
    apply: LaunchApply, left: Sequence[LaunchApplyServer], stop: Event
) -> Iterator[_Outcome]:
    """Write to a few servers at once; AWS is waited for in threads that touch no database."""
    answers = Answers(apply.group.account.scope(apply.group.region))
    work = correlation_id()
    waiting = list(left)
    under_way: set[Future[_Outcome]] = set()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="launch-apply") as pool:
        try:
            while waiting or under_way:
                _keep(apply)
                told = _why_not(apply) if waiting else ""
                if told:
                    yield from (_Outcome(server, (told,)) for server in waiting)
                    waiting = []
                while waiting and len(under_way) < _THREADS:
                    server = waiting.pop(0)
                    _begin(server)
                    under_way.add(pool.submit(_one, apply, answers, server, stop, work))
                done, under_way = wait(under_way, timeout=_LOOK, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:
            stop.set()
            raise


def _why_not(apply: LaunchApply) -> str:
    """Why no further server may be written to; empty if it may.

    What an execution needs as it is is not changed under its feet, even if asked for before. What
    was asked for by what holds the group is for as long as it does.
    """
    if apply.holder_id is not None:
        held = holds_still(apply.group, apply.holder_id)
        return "" if held else "What it was applied for does not need the group any more."
    holders = holders_of(apply.group)
    told = f"The group is needed as it is now, by: {', '.join(holders)}. Retry afterwards."
    return told if holders else ""


def _begin(server: LaunchApplyServer) -> None:
    # Before the attempt, so that one that kills its worker is counted all the same.
    LaunchApplyServer.objects.filter(pk=server.pk).update(attempts=F("attempts") + 1)
    server.attempts += 1


def _one(
    apply: LaunchApply, answers: Answers, server: LaunchApplyServer, stop: Event, work: str
) -> _Outcome:
    def go_on() -> None:
        if stop.is_set():
            raise _Stopped

    if server.attempts > MOST_ATTEMPTS:
        return _Outcome(server, (f"Given up after {MOST_ATTEMPTS} attempts.",))
    if not server.values:
        return _Outcome(server)
    with correlated(work):
        try:
            written = writing.write(
                answers,
                server.server.server_id,
                server.values,
                who=apply.requested_by,
                unverified=apply.unverified,
                go_on=go_on,
            )
        except AwsError as error:
            return _Outcome(
                server,
                (error.detail,),
                waits=error.passing,
                unknown=error.ambiguous,
                retry_after=error.retry_after,
            )
        except _Stopped:
            return _Outcome(server, ("It was stopped before it was done.",), waits=True)
        finally:
            connection.close()
    return _Outcome(server, written.problems, written.template_version)


def _note_wait(outcome: _Outcome) -> None:
    LaunchApplyServer.objects.filter(pk=outcome.server.pk).update(
        message=f"AWS will be asked again. {' '.join(outcome.problems)}"
    )


def _note(apply: LaunchApply, outcome: _Outcome) -> None:
    now, row = timezone.now(), outcome.server
    state = AppliedState.APPLIED
    if outcome.problems:
        state = AppliedState.UNKNOWN if outcome.unknown else AppliedState.FAILED
    with transaction.atomic():
        noted = move_all(
            LaunchApplyServer.objects.filter(pk=row.pk),
            state,
            lifecycle=APPLIED,
            source=AppliedState.PENDING,
            message=" ".join(outcome.problems),
            template_version=outcome.template_version,
            finished_at=now,
        )
        if noted and state == AppliedState.APPLIED:
            LaunchStanding.objects.update_or_create(
                group_id=apply.group_id,
                server_id=row.server_id,
                defaults={
                    "applied_values": rules.without_withdrawals(row.values),
                    "applied_at": now,
                    "applied_by": apply.requested_by,
                    **_drift_after(apply, row),
                },
            )


def _drift_after(apply: LaunchApply, row: LaunchApplyServer) -> dict[str, Any]:
    """It was read back, so it is in step, unless the settings were changed meanwhile."""
    intended = rules.intended(launch_levels(apply.group).layers(row.server_id))
    if intended != rules.without_withdrawals(row.values):
        told = "The settings were changed while they were being applied."
        return {"drift": DriftState.UNKNOWN, "differences": [], "message": told}
    seen = {"drift": DriftState.IN_STEP, "differences": [], "message": ""}
    return seen | {"checked_at": timezone.now()}


def _settle(apply: LaunchApply, later: Sequence[_Outcome], *, actor: Actor) -> None:
    """End the apply, or let go of it until AWS may be asked again."""
    mine = LaunchApply.objects.filter(pk=apply.pk, lease_token=apply.lease_token)
    if later:
        mine.update(lease_token=None, leased_until=timezone.now() + _wait(later))
        return
    counts = _counts(apply)
    failed = counts[AppliedState.FAILED] + counts[AppliedState.UNKNOWN]
    state = ApplyState.COMPLETED
    if failed:
        state = ApplyState.PARTIAL if counts[AppliedState.APPLIED] else ApplyState.FAILED
    write = record_failure if state == ApplyState.FAILED else record
    with transaction.atomic():
        ended = move_all(
            mine,
            state,
            lifecycle=APPLY,
            source=ApplyState.RUNNING,
            finished_at=timezone.now(),
            leased_until=None,
            lease_token=None,
        )
        if ended:
            write(
                "protection.launch_apply.finished",
                actor=actor,
                subject=apply.group,
                apply=str(apply.pk),
                requested_by=apply.requested_by,
                applied=counts[AppliedState.APPLIED],
                failed=failed,
            )


def _wait(later: Sequence[_Outcome]) -> timedelta:
    """Longer after each attempt, and as long as AWS asks for."""
    tries = max(outcome.server.attempts for outcome in later)
    backoff = min(_FIRST_WAIT * int(2 ** (tries - 1)), _LONGEST_WAIT)
    named = [outcome.retry_after for outcome in later if outcome.retry_after is not None]
    return max([backoff, *(timedelta(seconds=min(each, 3600)) for each in named)])


def _counts(apply: LaunchApply) -> dict[AppliedState, int]:
    states = list(apply.servers.values_list("state", flat=True))
    return {state: states.count(state) for state in AppliedState}


def must_be_idle(group: ProtectionGroup, *, force: bool) -> None:
    """Raises ApplyInProgress while another apply of the group lives; with `force`, one that no
    worker has begun is given up.
    """
    live = LaunchApply.objects.filter(group=group, state__in=LIVE).first()
    if live is None:
        return
    if not force or live.state != ApplyState.PENDING:
        raise ApplyInProgress(live, apply_id=live.pk)
    move(
        live,
        ApplyState.ABANDONED,
        lifecycle=APPLY,
        finished_at=timezone.now(),
        message="It was asked for again before a worker began.",
    )


def _wanted(group: ProtectionGroup, *, only_failed: bool) -> Mapping[UUID, rules.Values]:
    """What each server is to have now, by the server's row."""
    servers = servers_chosen(group)
    if only_failed:
        servers = servers.filter(pk__in=_failed(group))
    keys = list(servers.values_list("pk", flat=True))
    if not keys:
        if only_failed:
            raise NothingToApply("There is no server to which it failed the last time.")
        raise GroupIsEmpty(f"{group} holds no server.")
    before = dict(
        LaunchStanding.objects.filter(group=group).values_list("server_id", "applied_values")
    )
    wanted = launch_wanted.wanted(group, keys)
    # One of which nothing is set any more counts as well: then that is what was applied last.
    concerned = {key: values for key, values in wanted.items() if values or before.get(key)}
    if not concerned:
        raise NothingToApply(f"Nothing is set for any server of {group}.")
    return concerned


def _failed(group: ProtectionGroup) -> list[UUID]:
    last = LaunchApply.objects.filter(group=group).order_by("-created_at", "id").first()
    if last is None:
        return []
    failed = last.servers.filter(state__in=[AppliedState.FAILED, AppliedState.UNKNOWN])
    return list(failed.values_list("server_id", flat=True))
