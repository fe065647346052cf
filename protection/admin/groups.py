"""Protection groups: making and editing them, with a preview of the servers they would hold."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody
from drportal.actor import Actor
from drportal.adminkit import sharing
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, badge
from protection.admin.filters import AccountFilter
from protection.admin.group_forms import (
    GroupForm,
    doubt_about,
    initial,
    look,
    rows_of,
    size_in_words,
    tags_in,
    ticked_servers,
)
from protection.admin.group_versions import VersionPages
from protection.admin.launch_pages import LaunchPages
from protection.choices import Selection
from protection.errors import GroupChanged
from protection.models import ProtectionGroup
from protection.rules.selection import jobs_for
from protection.selectors import accounts_for, groups_for, servers_chosen, with_server_counts
from protection.services import groups
from protection.services.previews import preview


@admin.register(ProtectionGroup, site=site)
class ProtectionGroupAdmin(LaunchPages, VersionPages):
    """Servers that are recovered together."""

    icon, section, place = "workspaces", "Protection", 32
    can = frozenset({"add", "change", "delete", "share", "history"})
    page_template = "protection/group.html"
    form_template = "protection/group_form.html"
    shared_permissions = (
        ("view_protectiongroup", "See"),
        ("change_protectiongroup", "Edit"),
        ("delete_protectiongroup", "Delete"),
        ("share_protectiongroup", "Share"),
    )
    list_display = (
        "name",
        "account",
        "region",
        "chosen_by",
        "server_count",
        "shared_servers",
        "updated_at",
    )
    list_filter = (AccountFilter, "region", "selection")
    list_select_related = ("account",)
    search_fields = ("name", "description", "owner")
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[ProtectionGroup]:
        return groups_for(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_server_counts(self.visible_to(request.user))

    @admin.display(description="Servers chosen by", ordering="selection")
    def chosen_by(self, group: ProtectionGroup) -> str:
        return chosen_by(group)

    @admin.display(description="Servers now")
    def server_count(self, group: Any) -> str:
        jobs = jobs_for(group.server_total)
        return f"{group.server_total} in {jobs} jobs" if jobs > 1 else str(group.server_total)

    @admin.display(description="Also in other groups")
    def shared_servers(self, group: Any) -> str:
        if not group.shared_total:
            return "none"
        if group.allows_overlap:
            return badge(f"{group.shared_total}, allowed", Tone.PLAIN)
        return badge(f"{group.shared_total}, not allowed here", Tone.WAIT)

    @override
    def page_context(self, request: HttpRequest, obj: ProtectionGroup) -> dict[str, Any]:
        found = preview(
            servers_chosen(obj), account_id=obj.account_id, region=obj.region, group=obj
        )
        return {
            "rows": rows_of(found),
            "found": found,
            "size": size_in_words(found),
            "doubt": doubt_about(found),
            "chosen_by": chosen_by(obj),
            "holds": obj.holds.filter(released_at=None).order_by("held_at", "id"),
        }

    @override
    def page_buttons(self, request: HttpRequest, obj: ProtectionGroup) -> list[dict[str, Any]]:
        own = super().page_buttons(request, obj)
        return [*own, {"label": "Versions", "link": self.link("versions", obj)}]

    # Forms.

    def form_for(self, request: HttpRequest, obj: ProtectionGroup | None) -> GroupForm:
        choices: dict[str, Any] = {"accounts": list(accounts_for(request.user)), "group": obj}
        if request.method == "POST" and "_again" in request.POST:
            return GroupForm.again(request.POST, **choices)
        data = request.POST if request.method == "POST" else None
        return GroupForm(data, initial=initial(obj), **choices)

    def form_context(self, request: HttpRequest, form: Any, obj: Any) -> dict[str, Any]:
        return {"preview": look(request, form, ticked=ticked_servers(request, obj))}

    def save(
        self, request: HttpRequest, form: GroupForm, obj: ProtectionGroup | None
    ) -> ProtectionGroup:
        said = form.cleaned_data
        chosen: dict[str, Any] = {
            name: said[name] for name in ("name", "description", "owner", "allow_overlap")
        }
        if form.by_tags():
            chosen["tags"] = tags_in(said["tags"])
        else:
            chosen["server_ids"] = ticked_servers(request, obj)
        actor = self.actor(request)
        if obj is None:
            account = form.accounts[said["account"]]
            return groups.create(**chosen, account=account, region=said["region"], actor=actor)
        try:
            return groups.edit(obj, **chosen, version=said["version"], actor=actor)
        except GroupChanged as error:
            form.overtaken(error)
            raise

    def remove(self, obj: ProtectionGroup, *, actor: Actor) -> None:
        groups.delete(obj, actor=actor)

    def shared(self, obj: ProtectionGroup, *, change: sharing.Change, actor: Actor) -> None:
        record(
            "protection.group.shared",
            actor=actor,
            subject=obj,
            holder=str(change.holder),
            given=sorted(change.given),
            taken=sorted(change.taken),
        )


def chosen_by(group: ProtectionGroup) -> str:
    """How a group chooses its servers, in words."""
    if group.selection == Selection.SERVERS:
        return "hand"
    return "tags " + ", ".join(f"{key}={value}" for key, value in sorted(group.tags.items()))
