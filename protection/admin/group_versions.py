"""The versions of a protection group: what each changed, and going back to one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern

from drportal.adminkit import confirm
from protection.admin.changes import Change, in_words
from protection.admin.recorded import RecordedAdmin
from protection.models import GroupVersion, ProtectionGroup, SourceServer
from protection.rules.history import differences
from protection.selectors import servers_with
from protection.services import groups
from protection.services.previews import Found, preview

_MOST_SHOWN = 50
# Another digit would be more than the column holds.
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Line:
    """A version in the list, with what it changed; `changes` is None if that is not known."""

    number: int
    by: str
    at: datetime
    changes: list[Change] | None
    current: bool


class VersionPages(RecordedAdmin):
    """The pages `versions` and `restore` of a group."""

    def more_urls(self) -> list[URLPattern]:
        return [
            self.url("<str:object_id>/versions/", self.versions_view, "versions"),
            self.url(
                "<str:object_id>/versions/<int:number>/restore/", self.restore_view, "restore"
            ),
        ]

    def versions_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the group said at each time, and what each version changed, newest first."""
        group: ProtectionGroup = self.found(request, object_id)
        return self.render(
            request,
            "protection/group_versions.html",
            obj=group,
            title=f"Versions of {group}",
            lines=_lines(group),
            left_out=max(0, group.versions.count() - _MOST_SHOWN),
            may_restore=self.has_change_permission(request, group),
        )

    def restore_view(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """Ask, showing what would change, then restore a version.

        The address says of which version the person saw the group, and whether they have chosen to
        let it share the servers that the page lists.
        """
        group: ProtectionGroup = self.found(request, object_id, "change")
        version = group.versions.filter(number=number).first()
        if version is None:
            raise Http404("There is no such version.")
        seen = _number(request.GET.get("seen")) or group.version
        allow = "allow" in request.GET

        def act(_: dict[str, Any]) -> HttpResponse:
            groups.restore(
                group, number, allow_overlap=allow, version=seen, actor=self.actor(request)
            )
            self.message_user(request, f"Version {number} was restored.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", group))

        return confirm.confirm(
            self, request, group, _question(group, version, seen=seen, allow=allow), act
        )


def _number(text: str | None) -> int | None:
    fits = text is not None and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if text is not None and fits else None


def _lines(group: ProtectionGroup) -> list[Line]:
    kept = list(group.versions.order_by("-number")[: _MOST_SHOWN + 1])
    before: list[GroupVersion | None] = [*kept[1:], None]
    lines = [
        Line(
            number=version.number,
            by=version.created_by,
            at=version.created_at,
            changes=in_words(differences(earlier.document, version.document)) if earlier else None,
            current=version.number == group.version,
        )
        for version, earlier in zip(kept, before, strict=True)
    ]
    return lines[:_MOST_SHOWN]


def _question(
    group: ProtectionGroup, version: GroupVersion, *, seen: int, allow: bool
) -> confirm.Question:
    said = version.document
    shared = _shared(group, said)
    allowed = allow or said["allows_overlap"]
    return confirm.Question(
        title=f"Restore version {version.number} of {group}",
        text=(
            f"The group will say again what it said in version {version.number}, which "
            f"{version.created_by} made. That becomes a new version; none is lost."
        ),
        verb="Restore and share these servers" if shared and allowed else "Restore",
        template="protection/group_restore.html",
        context={
            "changes": in_words(differences(groups.document(group), said)),
            "shared": shared,
            "allowed": allowed,
            "allowing": f"?seen={seen}&allow=1",
        },
    )


def _shared(group: ProtectionGroup, said: Mapping[str, Any]) -> list[Found]:
    """The servers that the group would share, if it said this again."""
    found = preview(
        _choice(group, said), account_id=group.account_id, region=group.region, group=group
    )
    return found.shared


def _choice(group: ProtectionGroup, said: Mapping[str, Any]) -> QuerySet[SourceServer]:
    if said["tags"]:
        return servers_with(account_id=group.account_id, region=group.region, tags=said["tags"])
    wanted = [UUID(server["id"]) for server in said["servers"]]
    here = SourceServer.objects.filter(account_id=group.account_id, region=group.region)
    return here.filter(pk__in=wanted).order_by("name", "id")
