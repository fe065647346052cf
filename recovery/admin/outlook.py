"""What a plan would launch if it were started now, and what stands in the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from drportal.access import Anybody
from drportal.adminkit.widgets import Tone, badge
from recovery.choices import CheckLevel
from recovery.models import PlanWave, PlanWaveGroup, RecoveryPlan
from recovery.selectors import Existing, existing_instances, with_waves
from recovery.services import plan_checks
from recovery.services.plan_checks import Finding, WaveLook

_TONES = {CheckLevel.ERROR: Tone.BAD, CheckLevel.WARNING: Tone.WAIT}


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A finding, with its level as a badge."""

    badge: SafeString
    message: str


@dataclass(frozen=True, slots=True)
class WaveOutlook:
    """A wave: its groups, what it would launch now, and what the checks found."""

    wave: PlanWave
    groups: Sequence[str]
    look: WaveLook
    findings: Sequence[FindingLine]


@dataclass(frozen=True, slots=True)
class Outlook:
    """The waves of a plan as they would start now, and the instances that are there already."""

    waves: Sequence[WaveOutlook]
    existing: Existing


def outlook(plan: RecoveryPlan, user: Anybody) -> Outlook:
    """How a start of `plan` looks now. A fixed number of queries."""
    checked = plan_checks.of_plan(plan, user=user)
    waves = with_waves(RecoveryPlan.objects.filter(pk=plan.pk)).get().waves.all()
    return Outlook(
        waves=[
            WaveOutlook(
                wave=wave,
                groups=[_named(entry) for entry in wave.entries.all()],
                look=look,
                findings=lines(look.findings),
            )
            for wave, look in zip(waves, checked.waves, strict=True)
        ],
        existing=existing_instances(checked.servers),
    )


def lines(findings: Iterable[Finding]) -> list[FindingLine]:
    """Findings as a page shows them."""
    return [
        FindingLine(badge(found.level.label, _TONES[found.level]), found.message)
        for found in findings
    ]


def _named(entry: PlanWaveGroup) -> str:
    said = [entry.group.name]
    if entry.server_ids:
        said.append(f"only {len(entry.server_ids)} chosen")
    if entry.optional_server_ids:
        said.append(f"{len(entry.optional_server_ids)} optional")
    return said[0] if len(said) == 1 else f"{said[0]} ({', '.join(said[1:])})"
