"""What people have overridden of the checks before waves, written down; see docs/adr/0017."""

from collections.abc import Collection, Iterable, Mapping

from django.utils import timezone

from drportal.actor import Actor
from drportal.mirror.services import mark
from recovery.engine.preflight import Check
from recovery.engine.wave_preflight import overridden_at_the_start
from recovery.models import Execution, WavePreflight


def carry_over(
    execution: Execution, checks: Iterable[Check], *, reason: str, actor: Actor
) -> Mapping[int, Collection[str]]:
    """Let what was overridden at the start count for the same checks before the same waves, in the
    start's transaction. Returns it, by the waves' positions.
    """
    columns = ("wave__position", "account_id", "region")
    places = sorted(set(execution.servers.values_list(*columns)))
    found = overridden_at_the_start(checks, places)
    by_position = {wave.position: wave for wave in execution.waves.all()}
    for position, codes in found.items():
        row, _ = WavePreflight.objects.get_or_create(wave=by_position[position])
        write(row, sorted(codes), reason=reason, actor=actor)
    return found


def write(row: WavePreflight, codes: Collection[str], *, reason: str, actor: Actor) -> None:
    """Add `codes` to what is overridden before a wave, in the transaction of what tells it."""
    row.overridden = sorted({*row.overridden, *codes})
    row.overridden_at, row.overridden_by = timezone.now(), actor.name
    row.override_reason = reason[:1000]
    row.save(update_fields=["overridden", "overridden_at", "overridden_by", "override_reason"])
    mark("WaveStatus", row.wave_id)
