"""The pages of a plan's versions: what one said, how it differs, and having it again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drportal.adminkit import confirm
from drportal.adminkit.widgets import span
from recovery.models import PlanVersion, RecoveryPlan
from recovery.services.plan_differences import Change, Differences, differences
from recovery.services.plan_documents import document

_TEMPLATE = "recovery/restore.html"


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A field that says something else, in words."""

    where: str
    field: str
    before: str
    after: str


def change_lines(found: Differences) -> list[ChangeLine]:
    """Differences as the lines of a table."""
    lines = [_line("Plan", change) for change in found.plan]
    for wave in found.waves:
        where = f"Wave {wave.position} {wave.name}"
        if not wave.changes:
            lines.append(ChangeLine(where, wave.what.lower(), "", ""))
        where = f"{where} ({wave.what.lower()})"
        lines += [_line(where, change) for change in wave.changes]
    return lines


def version_context(plan: RecoveryPlan, version: PlanVersion) -> dict[str, Any]:
    """What the page of a version shows."""
    before = plan.versions.filter(number__lt=version.number).order_by("-number").first()
    then = differences(before.document, version.document) if before else None
    return {
        "version": version,
        "before": before,
        "changes": change_lines(then) if then is not None else [],
        "until_now": change_lines(differences(version.document, document(plan))),
        "is_latest": version.number == plan.version,
    }


def question(plan: RecoveryPlan, version: PlanVersion) -> confirm.Question:
    """Ask before a version is restored, and show what that changes."""
    changes = differences(document(plan), version.document)
    return confirm.Question(
        title=f"Restore version {version.number} of {plan}",
        text=f"The plan will say again what it said in version {version.number}, as a new version. "
        "Executions under way are not touched.",
        verb="Restore it",
        danger=False,
        template=_TEMPLATE,
        context={"changes": change_lines(changes)},
    )


def _line(where: str, change: Change) -> ChangeLine:
    name = change.field.removesuffix("_seconds").replace("_", " ")
    lasts = change.field.endswith("_seconds")
    return ChangeLine(where, name, *(_told(v, lasts=lasts) for v in (change.before, change.after)))


def _told(value: Any, *, lasts: bool) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if lasts:
        return span(value)
    if isinstance(value, dict):
        return _joined(f"{key}={text}" for key, text in sorted(value.items()))
    return _joined(map(str, value)) if isinstance(value, list) else str(value)


def _joined(words: Iterable[str]) -> str:
    return "; ".join(words)
