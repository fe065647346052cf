"""Protection groups: making and editing them, with a preview of the servers they would hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody
from drportal.actor import Actor
from drportal.adminkit import sharing
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import lasting
from drportal.aws.regions import watched_regions
from drportal.errors import InvalidInput
from protection.admin.filters import AccountFilter
from protection.admin.recorded import RecordedAdmin
from protection.admin.tones import readiness_badge, seen
from protection.choices import Selection
from protection.models import GroupMember, ProtectionGroup, SourceServer, TargetAccount
from protection.rules import selection as rules
from protection.selectors import (
    accounts_for,
    groups_for,
    readiness_of,
    regions_by_key,
    servers_chosen,
    servers_for,
    servers_with,
)
from protection.services import groups

_MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server in a group's table or preview. `holder` is another group that has it by hand."""

    server: SourceServer
    badge: SafeString
    reason: str
    lag: str
    seen: str
    ticked: bool = False
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The servers that a form's choice stands for now, or why that cannot be said."""

    rows: Sequence[ServerRow] = ()
    choosing: bool = False
    problem: str = ""
    left_out: int = 0


class GroupForm(PortalForm):
    """A group. Which servers stand to choose depends on the account and the Region."""

    name = forms.CharField(max_length=64)
    description = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    account = forms.ChoiceField(label="Account")
    region = forms.ChoiceField(label="Region")
    selection = forms.ChoiceField(
        label="How servers are chosen", choices=Selection.choices, widget=forms.RadioSelect
    )
    tags = forms.CharField(
        required=False,
        help_text="For servers with tags: one key=value a line. A server must have all of them.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(
        self,
        *args: Any,
        accounts: Sequence[TargetAccount],
        group: ProtectionGroup | None,
        **kw: Any,
    ) -> None:
        super().__init__(*args, **kw)
        self.group = group
        self.accounts = {str(account.pk): account for account in accounts}
        if group is not None:
            del self.fields["account"], self.fields["region"]
            return
        choosing: dict[str, Any] = self.fields
        named = [(key, str(account)) for key, account in self.accounts.items()]
        choosing["account"].choices = [("", "Choose"), *named]
        regions = sorted({r for a in accounts for r in watched_regions(a.partition)})
        choosing["region"].choices = [("", "Choose"), *((region, region) for region in regions)]

    def where(self) -> tuple[Any, str] | None:
        """The account's row id and the Region, once both are chosen."""
        if self.group is not None:
            return self.group.account_id, self.group.region
        account = self.accounts.get(str(self["account"].value() or ""))
        region = str(self["region"].value() or "")
        return (account.pk, region) if account and region else None

    def by_tags(self) -> bool:
        """Whether servers are chosen by their tags."""
        return bool(self["selection"].value() == Selection.TAGS)


def tags_in(text: str) -> dict[str, str]:
    """Tags out of lines of key=value. Raises InvalidInput for what is none."""
    tags: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, equals, value = line.partition("=")
        key, value = key.strip(), value.strip()
        if not equals:
            raise InvalidInput.field("tags", "invalid", f"This is not key=value: {line}")
        if key in tags:
            raise InvalidInput.field("tags", "invalid", f"The key {key} is there twice.")
        tags[key] = value
    return rules.checked(tags)


@admin.register(ProtectionGroup, site=site)
class ProtectionGroupAdmin(RecordedAdmin):
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
    list_display = ("name", "account", "region", "chosen_by", "server_count", "updated_at")
    list_filter = (AccountFilter, "region", "selection")
    list_select_related = ("account",)
    search_fields = ("name", "description")
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[ProtectionGroup]:
        return groups_for(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProtectionGroup]:
        return self.visible_to(request.user).annotate(server_total=_server_total())

    @admin.display(description="Servers chosen by", ordering="selection")
    def chosen_by(self, group: ProtectionGroup) -> str:
        return chosen_by(group)

    @admin.display(description="Servers now")
    def server_count(self, group: Any) -> int:
        return int(group.server_total)

    @override
    def page_context(self, request: HttpRequest, obj: ProtectionGroup) -> dict[str, Any]:
        return {"rows": _rows(servers_chosen(obj)), "chosen_by": chosen_by(obj)}

    # Forms.

    def form_for(self, request: HttpRequest, obj: ProtectionGroup | None) -> GroupForm:
        choices: dict[str, Any] = {"accounts": list(accounts_for(request.user)), "group": obj}
        if request.method == "POST" and "_again" in request.POST:
            return GroupForm.again(request.POST, **choices)
        data = request.POST if request.method == "POST" else None
        return GroupForm(data, initial=_initial(obj), **choices)

    def form_context(self, request: HttpRequest, form: Any, obj: Any) -> dict[str, Any]:
        return {"preview": _preview(request, form, ticked=_ticked(request, obj))}

    def save(
        self, request: HttpRequest, form: GroupForm, obj: ProtectionGroup | None
    ) -> ProtectionGroup:
        said = form.cleaned_data
        chosen: dict[str, Any] = {"name": said["name"], "description": said["description"]}
        if form.by_tags():
            chosen["tags"] = tags_in(said["tags"])
        else:
            chosen["server_ids"] = _ticked(request, obj)
        actor = self.actor(request)
        if obj is not None:
            return groups.edit(obj, **chosen, actor=actor)
        account = form.accounts[said["account"]]
        return groups.create(**chosen, account=account, region=said["region"], actor=actor)

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


def _server_total() -> Case:
    """How many servers a group holds now, for a list: by hand, or all with its tags."""
    with_tags = SourceServer.objects.filter(
        account_id=OuterRef("account_id"),
        region=OuterRef("region"),
        tags__contains=OuterRef("tags"),
    )
    by_hand = GroupMember.objects.filter(group_id=OuterRef("pk"))
    return Case(
        When(selection=Selection.TAGS, then=_counted(with_tags, "account_id")),
        default=_counted(by_hand, "group_id"),
        output_field=IntegerField(),
    )


def _counted(rows: QuerySet[Any], by: str) -> Coalesce:
    count = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(count), 0)


def _initial(group: ProtectionGroup | None) -> dict[str, Any]:
    if group is None:
        return {"selection": Selection.TAGS}
    return {
        "name": group.name,
        "description": group.description,
        "selection": group.selection,
        "tags": "\n".join(f"{key}={value}" for key, value in sorted(group.tags.items())),
    }


def _ticked(request: HttpRequest, group: ProtectionGroup | None) -> set[UUID]:
    """The servers that are ticked: on the form as sent, or in the group."""
    if request.method == "POST":
        return {found for text in request.POST.getlist("servers") if (found := _uuid(text))}
    return set(group.members.values_list("server_id", flat=True)) if group else set()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _preview(request: HttpRequest, form: GroupForm, *, ticked: set[UUID]) -> Preview | None:
    where = form.where()
    if where is None:
        return None
    account_id, region = where
    if form.by_tags():
        try:
            tags = tags_in(str(form["tags"].value() or ""))
        except InvalidInput as error:
            return Preview(problem=error.detail)
        found = servers_with(account_id=account_id, region=region, tags=tags)
        return Preview(rows=_rows(found[:_MOST_SHOWN]), left_out=_beyond(found))
    choosable = Q(pk__in=servers_for(request.user).order_by().values("pk"))
    if form.group is not None:
        choosable |= Q(pk__in=form.group.members.values("server_id"))
    here = SourceServer.objects.filter(choosable, account_id=account_id, region=region)
    held = GroupMember.objects.filter(server__in=here).exclude(group=form.group)
    holders = dict(held.annotate(held_by=F("group__name")).values_list("server_id", "held_by"))
    shown = here.order_by("name", "id")[:_MOST_SHOWN]
    return Preview(
        rows=_rows(shown, ticked=ticked, holders=holders), choosing=True, left_out=_beyond(here)
    )


def _beyond(found: QuerySet[SourceServer]) -> int:
    return max(0, found.count() - _MOST_SHOWN)


def _rows(
    servers: QuerySet[SourceServer],
    *,
    ticked: set[UUID] | None = None,
    holders: dict[Any, str] | None = None,
) -> list[ServerRow]:
    regions = regions_by_key()
    rows = []
    for server in servers:
        where = regions.get((server.account_id, server.region))
        verdict = readiness_of(server, where)
        rows.append(
            ServerRow(
                server=server,
                badge=readiness_badge(verdict),
                reason=verdict.reason,
                lag=lasting(server.lag),
                seen=seen(where),
                ticked=server.pk in (ticked or ()),
                holder=(holders or {}).get(server.pk, ""),
            )
        )
    return rows
