"""The form of a protection group, and the servers that its choice stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import F, Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from drportal.adminkit.forms import PortalForm
from drportal.adminkit.widgets import Tone, badge, lasting
from drportal.aws.limits import DRS_JOBS
from drportal.aws.regions import watched_regions
from drportal.errors import InvalidInput
from protection.admin.changes import Change, in_words
from protection.admin.tones import READINESS_TONES, outdated, readiness_badge, region_badge, seen
from protection.choices import RegionStatus, Selection
from protection.errors import GroupChanged
from protection.models import GroupMember, ProtectionGroup, SourceServer, TargetAccount
from protection.rules import selection as rules
from protection.rules.history import Difference, differences
from protection.selectors import servers_for, servers_with
from protection.services.previews import Found, Preview, preview

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server in a group's table or preview. `holder` is another group that has it by hand,
    `others` names every other group that has it.
    """

    server: SourceServer
    badge: SafeString
    reason: str
    lag: str
    seen: str
    new: bool
    others: str
    ticked: bool = False
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a form's choice stands for now, or why that cannot be said.

    `rows` are the servers to see or to tick, `summary` is of those that the group would hold.
    """

    rows: Sequence[ServerRow] = ()
    summary: Preview | None = None
    choosing: bool = False
    problem: str = ""
    left_out: int = 0
    sharing: bool = False  # whether sharing servers is allowed as the form stands

    @property
    def health(self) -> list[SafeString]:
        """How many are how ready; what there is none of is not shown."""
        counted = self.summary.readiness.items() if self.summary else ()
        return [
            badge(f"{count} {readiness.label.lower()}", READINESS_TONES[readiness])
            for readiness, count in counted
            if count
        ]

    @property
    def size(self) -> str:
        """How many there are, beside what a launch job may hold."""
        return size_in_words(self.summary) if self.summary else ""

    @property
    def fresh(self) -> list[str]:
        """The names of those that the saved group does not hold now."""
        return (
            [str(entry.server) for entry in self.summary.found if entry.new] if self.summary else []
        )

    @property
    def doubt(self) -> SafeString | str:
        """Why this may not be what is there; empty if it was listed of late."""
        return doubt_about(self.summary) if self.summary else ""


class GroupForm(PortalForm):
    """A group. Which servers stand to choose depends on the account and the Region.

    `meanwhile` is what somebody else changed since the person began, once a save found that out.
    """

    name = forms.CharField(max_length=64)
    description = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    owner = forms.CharField(
        max_length=255, required=False, help_text="Who answers for these servers."
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
    allow_overlap = forms.BooleanField(
        required=False, label="Let this group share servers with other groups"
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        accounts: Sequence[TargetAccount],
        group: ProtectionGroup | None,
        **kw: Any,
    ) -> None:
        super().__init__(*args, **kw)
        self.group = group
        self.meanwhile: list[Difference] = []
        self.accounts = {str(account.pk): account for account in accounts}
        if group is not None:
            del self.fields["account"], self.fields["region"]
            return
        del self.fields["version"]
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

    def usual_fields(self) -> list[Any]:
        """All but the box that stands beside the servers it is about."""
        return [field for field in self if field.name != "allow_overlap"]

    def meanwhile_in_words(self) -> list[Change]:
        """What somebody else changed."""
        return in_words(self.meanwhile)

    def overtaken(self, error: GroupChanged) -> None:
        """Show what somebody else changed; what is typed here then replaces it, if saved again."""
        yours, current = error.context["yours"], error.context["current"]
        self.meanwhile = differences(yours["document"] or {}, current["document"])
        typed = self.data.copy()  # type: ignore[attr-defined]  # it is a QueryDict
        typed["version"] = str(current["version"])
        self.data = typed


def initial(group: ProtectionGroup | None) -> dict[str, Any]:
    """What a form begins with."""
    if group is None:
        return {"selection": Selection.TAGS}
    return {
        "name": group.name,
        "description": group.description,
        "owner": group.owner,
        "selection": group.selection,
        "tags": "\n".join(f"{key}={value}" for key, value in sorted(group.tags.items())),
        "allow_overlap": group.allows_overlap,
        "version": group.version,
    }


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


def ticked_servers(request: HttpRequest, group: ProtectionGroup | None) -> set[UUID]:
    """The servers that are ticked: on the form as sent, or in the group."""
    if request.method == "POST":
        return {found for text in request.POST.getlist("servers") if (found := _uuid(text))}
    return set(group.members.values_list("server_id", flat=True)) if group else set()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def look(request: HttpRequest, form: GroupForm, *, ticked: set[UUID]) -> Look | None:
    """The servers that the form's choice stands for, and what that means; None without a place."""
    where = form.where()
    if where is None:
        return None
    account_id, region = where
    sharing = bool(form["allow_overlap"].value())
    if form.by_tags():
        try:
            tags = tags_in(str(form["tags"].value() or ""))
        except InvalidInput as error:
            return Look(problem=error.detail)
        found = servers_with(account_id=account_id, region=region, tags=tags)
        summary = preview(found, account_id=account_id, region=region, group=form.group)
        return Look(
            rows=rows_of(summary), summary=summary, left_out=_beyond(summary), sharing=sharing
        )
    choosable = Q(pk__in=servers_for(request.user).order_by().values("pk"))
    if form.group is not None:
        choosable |= Q(pk__in=form.group.members.values("server_id"))
    here = SourceServer.objects.filter(choosable, account_id=account_id, region=region)
    here = here.order_by("name", "id")
    held = GroupMember.objects.filter(server__in=here.order_by()).exclude(group=form.group)
    holders = dict(held.annotate(held_by=F("group__name")).values_list("server_id", "held_by"))
    there = preview(here, account_id=account_id, region=region, group=form.group)
    chosen = here.filter(pk__in=ticked)
    return Look(
        rows=rows_of(there, ticked=ticked, holders=holders),
        summary=preview(chosen, account_id=account_id, region=region, group=form.group),
        choosing=True,
        left_out=_beyond(there),
        sharing=sharing,
    )


def rows_of(
    shown: Preview, *, ticked: set[UUID] | None = None, holders: dict[Any, str] | None = None
) -> list[ServerRow]:
    """The rows of a table of servers, as many as a page shows."""
    chosen, held = ticked or set(), holders or {}
    return [
        _row(entry, shown, ticked=entry.server.pk in chosen, holder=held.get(entry.server.pk, ""))
        for entry in shown.found[:MOST_SHOWN]
    ]


def _row(entry: Found, shown: Preview, *, ticked: bool, holder: str) -> ServerRow:
    return ServerRow(
        server=entry.server,
        badge=readiness_badge(entry.verdict),
        reason=entry.verdict.reason,
        lag=lasting(entry.server.lag),
        seen=seen(shown.where),
        new=entry.new,
        others=", ".join(name for name in entry.others if name != holder),
        ticked=ticked,
        holder=holder,
    )


def size_in_words(shown: Preview) -> str:
    """How many servers there are, beside what a launch job may hold."""
    count, most = len(shown.found), DRS_JOBS.servers_per_job
    if count <= most:
        return f"{count} of {most} that a launch job may hold."
    return f"{count}; a launch job may hold {most}, so they are launched in {shown.jobs} jobs."


def doubt_about(shown: Preview) -> SafeString | str:
    """Why the servers may not be those that are there; empty if they were listed of late."""
    if shown.where is None:
        return badge("Never listed", Tone.UNSURE)
    if shown.where.status != RegionStatus.ACTIVE or outdated(shown.where):
        return region_badge(shown.where)
    return ""


def _beyond(shown: Preview) -> int:
    return max(0, len(shown.found) - MOST_SHOWN)
