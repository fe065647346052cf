"""Runs of syncs: what they saw and could not see, and a button for each that asks for one now."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from typing_extensions import override

from drportal.access import Anybody, allowed
from drportal.adminkit import confirm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge, lapse
from protection.admin.recorded import RecordedAdmin
from protection.admin.tones import sync_badge
from protection.choices import SkipReason, SyncKind, SyncState
from protection.models import SyncRun
from protection.permissions import SyncPermission
from protection.services import sync_runs

# What each sync does, for whoever is about to ask for one.
_SAYS = {
    SyncKind.INVENTORY: "Every account and Region is asked for its source servers.",
    SyncKind.RECOVERY_INSTANCES: "Every account and Region is asked for its recovery instances.",
    SyncKind.STAGING: "New servers of staging accounts are extended into their target accounts.",
    SyncKind.TAGS: "Tags of EC2 instances are set on their source servers, as the settings say.",
}


@admin.register(SyncRun, site=site)
class SyncRunAdmin(RecordedAdmin):
    """What each sync saw."""

    icon, section, place = "sync", "Protection", 33
    page_template = "protection/sync_run.html"
    list_before_template = "protection/sync_now.html"
    list_display = (
        "started",
        "kind",
        "state_shown",
        "answered",
        "unanswered",
        "seen",
        "written",
        "skipped_shown",
        "took",
        "requested_by",
    )
    list_display_links = ("started",)
    list_filter = ("kind", "state")
    ordering = ("-started_at", "id")

    def visible_to(self, user: Anybody) -> QuerySet[SyncRun]:
        runs = SyncRun.objects.all()
        return runs if allowed(user, SyncPermission.VIEW) else runs.none()

    def has_run_permission(self, request: HttpRequest) -> bool:
        """May the person ask for a sync?"""
        return allowed(request.user, SyncPermission.RUN)

    def more_urls(self) -> list[URLPattern]:
        return [self.url("run/<str:kind>/", self.run_view, "run")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        kinds = SyncKind if self.has_run_permission(request) else ()
        more = {"runs": [(kind.label, self.run_link(kind)) for kind in kinds]}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return answer

    def run_link(self, kind: SyncKind) -> str:
        """Where one asks for a sync of this kind."""
        return reverse(f"{self.admin_site.name}:protection_syncrun_run", args=[kind])

    def run_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Ask, then ask a worker for a sync."""
        if not self.has_run_permission(request):
            raise PermissionDenied
        if kind not in SyncKind:
            raise Http404("There is no such sync.")
        wanted = SyncKind(kind)

        def act(_: dict[str, Any]) -> HttpResponse:
            sync_runs.ask(wanted, actor=self.actor(request))
            text = "A worker was asked for a sync. It appears in this list once it has begun."
            self.message_user(request, text, messages.SUCCESS)
            back = "changelist" if self.has_view_permission(request) else ""
            return HttpResponseRedirect(self.link(back) if back else "../../../../")

        question = confirm.Question(
            title=f"Run now: {wanted.label}",
            text=f"{_SAYS[wanted]} If such a sync is running, no second one begins.",
            verb="Run the sync",
            danger=False,
        )
        return confirm.confirm(self, request, None, question, act)

    @admin.display(description="Started", ordering="started_at")
    def started(self, run: SyncRun) -> str:
        return age(run.started_at)

    @admin.display(description="State", ordering="state")
    def state_shown(self, run: SyncRun) -> str:
        return sync_badge(run)

    @admin.display(description="Regions listed", ordering="scopes_listed")
    def answered(self, run: SyncRun) -> str:
        return str(run.scopes_listed)

    @admin.display(description="Did not answer", ordering="scopes_failed")
    def unanswered(self, run: SyncRun) -> str:
        return badge(str(run.scopes_failed), Tone.BAD) if run.scopes_failed else "0"

    @admin.display(description="Added, changed, removed")
    def written(self, run: SyncRun) -> str:
        return f"{run.added}, {run.changed}, {run.removed}"

    @admin.display(description="Passed over or refused")
    def skipped_shown(self, run: SyncRun) -> str:
        skipped = sum(run.skipped.values())
        if not run.failed:
            return str(skipped)
        return format_html("{} {}", skipped, badge(f"{run.failed} refused", Tone.BAD))

    @admin.display(description="Took")
    def took(self, run: SyncRun) -> str:
        return lapse(run.started_at, run.finished_at)

    @override
    def page_context(self, request: HttpRequest, obj: SyncRun) -> dict[str, Any]:
        words = dict(SkipReason.choices)
        return {
            "badge": sync_badge(obj),
            "took": lapse(obj.started_at, obj.finished_at),
            "skipped": [
                (words.get(reason, reason), count) for reason, count in sorted(obj.skipped.items())
            ],
            "not_told": obj.changed - len(obj.changes) if obj.kind == SyncKind.TAGS else 0,
            "nothing": obj.state == SyncState.NOTHING,
        }
