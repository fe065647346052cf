"""Letting a wave launch although what AWS said before it is in the way; see docs/adr/0017."""

from django.db import transaction

from audit.services import record
from drportal.actor import Actor
from recovery.engine.preflight import in_the_way
from recovery.errors import NothingToOverride, ReasonNeeded, WaveHasStarted, WaveNotFound
from recovery.models import Execution, WavePreflight
from recovery.services import executions, steering, waivers, waves
from recovery.services.events import note
from recovery.services.wave_preflights import checks_of
from recovery.states import WaveState


def override(execution: Execution, *, position: int, reason: str, actor: Actor) -> Execution:
    """Let the wave at `position` launch although checks block it: just those that block now. What
    else is found later blocks again.

    Raises ReasonNeeded, WaveNotFound, WaveHasStarted, NothingToOverride if nothing blocks it,
    BeingCancelled and ExecutionEnded; then nothing is written.
    """
    if not reason.strip():
        raise ReasonNeeded
    with transaction.atomic():
        execution = steering.live(execution)
        wave = execution.waves.select_for_update().filter(position=position).first()
        if wave is None:
            raise WaveNotFound(execution, position)
        if wave.state not in steering.BEFORE_LAUNCH:
            raise WaveHasStarted(wave, WaveState(wave.state).label)
        row = WavePreflight.objects.select_for_update().filter(wave=wave).first()
        codes = sorted(row.in_the_way) if row is not None else []
        if row is None or not codes:
            raise NothingToOverride(wave)
        found = in_the_way(check for check in checks_of(row) if check.code in codes)
        waivers.write(row, codes, reason=reason, actor=actor)
        said = f"{waves.title(wave)} launches although it would not, as {actor.name} asked: "
        note(
            execution,
            "wave.preflight_overridden",
            f"{said}{reason} - {found}",
            wave=wave,
            actor=actor,
        )
        record(
            "recovery.wave_preflight.overridden",
            actor=actor,
            subject=execution,
            wave=str(wave),
            reason=reason,
            checks=codes,
            against=found,
        )
        executions.wake(execution)
    return execution
