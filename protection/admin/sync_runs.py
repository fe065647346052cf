"""Runs of syncs: what they saw and could not see, and a button that asks for one now."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody, allowed
from drportal.actor import Actor
from drportal.adminkit import confirm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge, lapse
from drportal.jobs import hint
from protection.admin.recorded import RecordedAdmin
from protection.admin.tones import sync_badge
from protection.models import SyncRun
from protection.permissions import SyncPermission


@transaction.atomic
def ask_for_inventory(*, actor: Actor) -> None:
    """Ask a worker to list every account and Region now, and record who asked."""
    record("protection.inventory.sync_requested", actor=actor)
    hint("protection.sync_inventory")


@admin.register(SyncRun, site=site)
class SyncRunAdmin(RecordedAdmin):
    """What each sync saw."""

    icon, section, place = "sync", "Protection", 33
    page_template = "protection/sync_run.html"
    list_before_template = "protection/sync_now.html"
    list_display = (
        "started",
        "state_shown",
        "answered",
        "unanswered",
        "seen",
        "added",
        "changed",
        "removed",
        "took",
        "requested_by",
    )
    list_display_links = ("started",)
    list_filter = ("state",)
    ordering = ("-started_at", "id")

    def visible_to(self, user: Anybody) -> QuerySet[SyncRun]:
        runs = SyncRun.objects.all()
        return runs if allowed(user, SyncPermission.VIEW) else runs.none()

    def has_run_permission(self, request: HttpRequest) -> bool:
        """May the person ask for a sync?"""
        return allowed(request.user, SyncPermission.RUN)

    def more_urls(self) -> list[URLPattern]:
        return [self.url("run/", self.run_view, "run")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"run_link": self.link("run") if self.has_run_permission(request) else ""}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return answer

    def run_view(self, request: HttpRequest) -> HttpResponse:
        """Ask, then ask a worker for an inventory sync."""
        if not self.has_run_permission(request):
            raise PermissionDenied

        def act(_: dict[str, Any]) -> HttpResponse:
            ask_for_inventory(actor=self.actor(request))
            text = "A worker was asked for a sync. It appears in this list once it has begun."
            self.message_user(request, text, messages.SUCCESS)
            back = "changelist" if self.has_view_permission(request) else ""
            return HttpResponseRedirect(self.link(back) if back else "../../../")

        question = confirm.Question(
            title="Run the inventory sync now",
            text="Every account and Region is asked for its source servers. "
            "If a sync is running, no second one begins.",
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

    @admin.display(description="Took")
    def took(self, run: SyncRun) -> str:
        return lapse(run.started_at, run.finished_at)

    @override
    def page_context(self, request: HttpRequest, obj: SyncRun) -> dict[str, Any]:
        return {"badge": sync_badge(obj), "took": lapse(obj.started_at, obj.finished_at)}
