"""Preflights: looking at everything that a start of a plan would rely on, before it is started.

Asked for by a person or by the schedule, carried out by a worker, which asks AWS. One whose
worker died is taken over; one that nobody brings to an end tells nothing.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import PORTAL, SCHEDULE, Actor
from drportal.jobs import hint
from drportal.state import move_all
from drportal.transactions import reaches_outside
from recovery.engine.options import WHOLE, StartOptions
from recovery.engine.preflight import BLOCKING, Check, in_the_way, outcome_of, score_of
from recovery.engine.preflight_rules import checks_of
from recovery.errors import PreflightAlreadyRunning
from recovery.models import Execution, PlanWave, Preflight, RecoveryPlan
from recovery.services import notices, starting
from recovery.services.preflight_facts import Known, facts_of, known_of, points_of
from recovery.states import PREFLIGHT, PreflightState

logger = logging.getLogger(__name__)

_LEASE: Final = timedelta(minutes=3)
_BEAT: Final = 15  # seconds
GIVEN_UP_AFTER: Final = timedelta(minutes=30)
_AT_ONCE: Final = 10  # that the schedule asks for in one look, so that workers are not swamped


class _TakenOver(Exception):
    """Another worker has this preflight, or it was given up."""


def ask(plan: RecoveryPlan, *, options: StartOptions = WHOLE, actor: Actor) -> Preflight:
    """Ask a worker for a preflight of `plan` as it is now, or of what `options` choose of it.

    Raises PreflightAlreadyRunning and, for options that choose what a start of the plan would
    refuse, what `starting.resolve` raises.
    """
    if options.as_dict():
        starting.resolve(plan, options)
    give_up_dead()
    try:
        with transaction.atomic():
            preflight = Preflight.objects.create(
                plan=plan,
                plan_version=plan.version,
                requested_by=actor.name,
                options=options.as_dict(),
                leased_until=timezone.now(),
            )
            if actor != SCHEDULE:  # that beat asks is no news; what is found is recorded anyway
                asked = {"options": options.as_dict()}
                record("recovery.preflight.requested", actor=actor, subject=plan, **asked)
            hint("recovery.carry_out_preflight", preflight_id=str(preflight.pk))
    except IntegrityError as error:
        running = _running().filter(plan=plan).first()
        if running is None:  # the plan is gone, or the preflight has just ended
            raise
        raise PreflightAlreadyRunning(plan, running.pk) from error
    return preflight


@reaches_outside
def carry_out(preflight_id: UUID) -> None:
    """Look, unless somebody is at it or it has ended. AWS's failures end in the checks."""
    token = uuid.uuid4()
    if not _take(preflight_id, token):
        return
    preflight = Preflight.objects.select_related("plan").filter(lease_token=token).first()
    if preflight is None:  # its plan has just been deleted
        return
    try:
        known = known_of(preflight.plan, StartOptions.of_dict(preflight.options))
        facts = facts_of(known, alive=_Pulse(preflight))
        _finish(preflight, checks_of(facts), known, points_of(facts))
    except _TakenOver:
        logger.warning("Another worker has taken over preflight %s", preflight_id)


def due() -> list[RecoveryPlan]:
    """The plans with waves that nobody has looked at for the setting's time, longest first.

    One that is being carried out holds its own servers; it is looked at again when it has ended.
    """
    since = timezone.now() - timedelta(minutes=settings.PREFLIGHT_EVERY_MINUTES)
    of_plan = Preflight.objects.filter(plan=OuterRef("pk"), options={})
    latest = of_plan.order_by("-created_at").values("created_at")[:1]
    plans = RecoveryPlan.objects.filter(
        Exists(PlanWave.objects.filter(plan=OuterRef("pk"))),
        ~Exists(Execution.objects.active().filter(plan=OuterRef("pk"))),
        ~Exists(of_plan.filter(created_at__gt=since)),
        ~Exists(_running().filter(plan=OuterRef("pk"))),
    )
    return list(plans.annotate(looked_at=latest).order_by("looked_at", "pk")[:_AT_ONCE])


def ask_for_due() -> int:
    """Ask for a preflight of each plan that is due, and return how many that were."""
    asked = 0
    for plan in due():
        try:
            ask(plan, actor=SCHEDULE)
        except (PreflightAlreadyRunning, IntegrityError):  # somebody was faster, or it is gone
            continue
        asked += 1
    return asked


def unattended() -> list[UUID]:
    """The running preflights that no worker is at: their message was lost, or their worker."""
    return list(_running().filter(leased_until__lte=timezone.now()).values_list("pk", flat=True))


def give_up_dead() -> int:
    """End preflights that have been running for too long, and return how many."""
    now = timezone.now()
    dead = _running().filter(created_at__lte=now - GIVEN_UP_AFTER, leased_until__lte=now)
    return move_all(
        dead,
        PreflightState.ABANDONED,
        lifecycle=PREFLIGHT,
        source=PreflightState.RUNNING,
        finished_at=now,
        leased_until=None,
        lease_token=None,
    )


def forget_old() -> int:
    """Delete what is older than the setting says, but of each plan the latest that was done."""
    long_ago = timezone.now() - timedelta(days=settings.PREFLIGHTS_KEPT_DAYS)
    done = Preflight.objects.filter(state=PreflightState.DONE, options={})
    latest = done.order_by("plan_id", "-created_at", "id").distinct("plan_id").values("pk")
    old = Preflight.objects.filter(created_at__lt=long_ago).exclude(state=PreflightState.RUNNING)
    deleted, _ = old.exclude(pk__in=list(latest.values_list("pk", flat=True))).delete()
    return deleted


def latest(plan: RecoveryPlan, options: StartOptions = WHOLE) -> Preflight | None:
    """The preflight of just these options that was asked for last, or None if none ever was."""
    asked = plan.preflights.filter(options=options.as_dict())
    return asked.order_by("-created_at", "id").first()


def last_done(plan: RecoveryPlan, options: StartOptions = WHOLE) -> Preflight | None:
    """The preflight of just these options that was the last to be brought to an end, or None."""
    done = plan.preflights.filter(state=PreflightState.DONE, options=options.as_dict())
    return done.order_by("-created_at", "id").first()


def latest_done(plans: Iterable[UUID]) -> dict[UUID, Preflight]:
    """The preflight of each whole plan that was the last to be brought to an end. One query."""
    done = Preflight.objects.filter(state=PreflightState.DONE, options={})
    found = done.filter(plan__in=list(plans))
    newest = found.order_by("plan_id", "-created_at", "id").distinct("plan_id")
    return {preflight.plan_id: preflight for preflight in newest.defer("checks")}


def _running() -> QuerySet[Preflight]:
    return Preflight.objects.filter(state=PreflightState.RUNNING)


def _take(preflight_id: UUID, token: UUID) -> bool:
    now = timezone.now()
    free = _running().filter(pk=preflight_id, leased_until__lte=now)
    return bool(free.update(leased_until=now + _LEASE, lease_token=token, started_at=now))


class _Pulse:
    """Keeps a lease alive: call it as often as you like, it writes now and then."""

    def __init__(self, preflight: Preflight) -> None:
        self._mine = _running().filter(pk=preflight.pk, lease_token=preflight.lease_token)
        self._last = time.monotonic()

    def __call__(self) -> None:
        """Raises _TakenOver if another worker has it."""
        if time.monotonic() - self._last < _BEAT:
            return
        if not self._mine.update(leased_until=timezone.now() + _LEASE):
            raise _TakenOver
        self._last = time.monotonic()


@transaction.atomic
def _finish(
    preflight: Preflight,
    checks: list[Check],
    known: Known,
    points: Mapping[str, Mapping[str, str]],
) -> None:
    outcome, score = outcome_of(checks), score_of(checks)
    before = last_done(preflight.plan)
    ended = move_all(
        _running().filter(pk=preflight.pk, lease_token=preflight.lease_token),
        PreflightState.DONE,
        lifecycle=PREFLIGHT,
        source=PreflightState.RUNNING,
        finished_at=timezone.now(),
        leased_until=None,
        lease_token=None,
        outcome=outcome,
        score=score,
        checks=[check.as_dict() for check in checks],
        plan_version=known.plan.version,
        digest=known.digest,
        points=points,
    )
    if not ended:
        raise _TakenOver
    bad = outcome in BLOCKING
    turned = bad and (before is None or before.outcome not in BLOCKING)
    if turned and not preflight.options:  # of a part, whoever asked for it looks at it
        notices.of_plan(
            notices.PREFLIGHT_BAD,
            preflight.plan,
            message=in_the_way(checks),
            key=f"preflight:{preflight.pk}",
            outcome=outcome,
        )
    write = record_failure if bad else record
    counts: Any = Counter(str(check.outcome).lower() for check in checks)
    write(
        "recovery.preflight.finished",
        actor=PORTAL,
        subject=preflight.plan,
        preflight=str(preflight.pk),
        version=known.plan.version,
        options=preflight.options,
        outcome=str(outcome),
        score=score,
        checks=dict(counts),
    )
