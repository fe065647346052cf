"""The page that compares two executions of a plan, to be read and printed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, reverse

from drportal.adminkit.widgets import Tone, badge, lasting
from protection.admin.recorded import RecordedAdmin
from recovery.admin import tones
from recovery.admin.plan_versions import change_lines
from recovery.admin.reports import Page, page
from recovery.models import Execution
from recovery.services.comparisons import Comparison, Fate, WavePair, compare, others
from recovery.services.reports import WaveMeasure
from recovery.states import ServerState

_TONES = {
    Fate.ADDED: Tone.WAIT,
    Fate.REMOVED: Tone.WAIT,
    Fate.CHANGED: Tone.BUSY,
    Fate.SAME: Tone.PLAIN,
}


class ComparisonPages(RecordedAdmin):
    """Comparing an execution with another of its plan."""

    def comparison_urls(self) -> list[URLPattern]:
        return [self.url("<str:object_id>/compare/", self.compare_view, "compare")]

    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the execution may be compared with; with one of them named, the two."""
        one = self.found(request, object_id)
        seen = self.visible_to(request.user)
        named = request.GET.get("with", "")
        if named:
            return self._comparison(request, one, seen, named)
        visible = set(seen.filter(plan=one.plan_id).values_list("pk", flat=True))
        return self.render(
            request,
            "recovery/compare_with.html",
            obj=one,
            title=f"Compare the {one}",
            lines=[_choice(other) for other in others(one) if other.pk in visible],
        )

    def _comparison(
        self, request: HttpRequest, one: Execution, seen: QuerySet[Any], named: str
    ) -> HttpResponse:
        try:
            found = seen.filter(pk=UUID(named)).first()
        except ValueError:
            found = None
        if found is None or found.plan_id is None or found.plan_id != one.plan_id or found == one:
            raise Http404("There is no such execution of this plan to compare with.")
        return self.render(
            request,
            "recovery/comparison.html",
            obj=one,
            title=f"Two executions of {one.plan_name}",
            **_shown(compare(one, found)),
        )


def _choice(other: Execution) -> dict[str, Any]:
    return {
        "execution": other,
        "kind": tones.kind_badge(other.kind),
        "badge": tones.execution_badge(other.state),
        "link": f"?with={other.pk}",
    }


def _shown(found: Comparison) -> dict[str, Any]:
    before, after = page(found.before), page(found.after)
    changes = found.changes
    return {
        "before": before,
        "after": after,
        "targets": list(zip(before.targets, after.targets, strict=True)),
        "changes": change_lines(changes) if changes is not None else None,
        "waves": [_wave(pair) for pair in found.waves],
        "servers": [
            {
                "server": pair.server,
                "what": badge(pair.what.capitalize(), _TONES[pair.what]),
                "before": _state(pair.before),
                "after": _state(pair.after),
            }
            for pair in found.servers
        ],
        "sides": [_side(before), _side(after)],
    }


def _side(found: Page) -> dict[str, Any]:
    execution = found.report.execution
    link = reverse("admin:recovery_execution_report", args=[execution.pk])
    return {"page": found, "execution": execution, "link": link}


def _wave(pair: WavePair) -> dict[str, str]:
    return {
        "name": pair.name,
        "before": _taken(pair.before),
        "after": _taken(pair.after),
        "slower": _slower(pair.slower_by),
    }


def _taken(measure: WaveMeasure | None) -> str:
    if measure is None:
        return "not in it"
    return "not reached" if measure.since_start is None else lasting(measure.since_start)


def _slower(by: timedelta | None) -> str:
    if by is None:
        return "unknown"
    if not by:
        return "as long"
    return f"{lasting(abs(by))} {'slower' if by > timedelta(0) else 'faster'}"


def _state(server: Any) -> str:
    return tones.server_badge(ServerState(server.state)) if server else "not in it"
