"""A group's page of launch settings: three levels, applying them, and whether they still hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern
from django.utils.safestring import SafeString
from typing_extensions import override

from drportal.adminkit.widgets import Share, Tone, badge, progress
from drportal.errors import DomainError
from protection.admin.changes import Change, in_words
from protection.admin.launch_forms import (
    BulkSettingsForm,
    GroupSettingsForm,
    ServerSettingsForm,
    SettingsForm,
    with_fields,
)
from protection.admin.recorded import RecordedAdmin
from protection.choices import AppliedState, Combination, LaunchStatus, SettingsLevel
from protection.models import LaunchSettings, ProtectionGroup, SourceServer
from protection.rules import launch as rules
from protection.rules.history import Difference, differences
from protection.selectors import LaunchLevels, launch_levels, servers_chosen
from protection.services import launch_apply, launch_drift, launch_settings, launch_status
from protection.services.launch_choices import choices_in
from protection.services.launch_rows import Wanted

_REFRESH = 3
_MOST_VERSIONS = 50
_TONES = {
    LaunchStatus.NOT_CONFIGURED: Tone.PLAIN,
    LaunchStatus.PENDING: Tone.WAIT,
    LaunchStatus.SYNCING: Tone.BUSY,
    LaunchStatus.READY: Tone.GOOD,
    LaunchStatus.PARTIAL: Tone.BAD,
    LaunchStatus.FAILED: Tone.BAD,
    LaunchStatus.DRIFTED: Tone.BAD,
    LaunchStatus.UNKNOWN: Tone.UNSURE,
}
_APPLIED_TONES = {
    AppliedState.APPLIED: Tone.GOOD,
    AppliedState.FAILED: Tone.BAD,
    AppliedState.UNKNOWN: Tone.UNSURE,
    AppliedState.PENDING: Tone.WAIT,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One setting in words, and the level that says so."""

    label: str
    value: str
    level: str
    because: str


@dataclass(frozen=True, slots=True)
class Row:
    """One server: how it stands, what it is to have, and what AWS holds otherwise."""

    found: launch_status.ServerStanding
    badge: SafeString
    fields: Sequence[Field]
    drift: Sequence[Change]
    message: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version of settings, with what it changed."""

    number: int
    by: str
    at: Any
    changes: Sequence[Change]
    current: bool


class LaunchPages(RecordedAdmin):
    """The pages of a group's launch settings."""

    def more_urls(self) -> list[URLPattern]:
        one = "<str:object_id>/launch/"
        return [
            *super().more_urls(),
            self.url(one, self.launch_view, "launch"),
            self.url(f"{one}live/", self.launch_live_view, "launch_live", repeats=True),
            self.url(f"{one}edit/", self.launch_edit_view, "launch_edit"),
            self.url(f"{one}bulk/", self.launch_bulk_view, "launch_bulk"),
            self.url(f"{one}history/", self.launch_history_view, "launch_history"),
        ]

    @override
    def page_buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        link = self.link("launch", obj)
        own: list[dict[str, Any]] = super().page_buttons(request, obj)
        return [{"label": "Launch settings", "link": link}, *own]

    def launch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The three levels and every server; by POST, applying or comparing them."""
        group: ProtectionGroup = self.found(request, object_id)
        if request.method == "POST":
            self._must_be_allowed(request, group)
            self._ask(request, group)
            return HttpResponseRedirect(self.link("launch", group))
        return self.render(
            request,
            "protection/launch.html",
            obj=group,
            title=f"Launch settings of {group}",
            live_link=self.link("launch_live", group),
            refresh_seconds=_REFRESH,
            **self._board(request, group),
        )

    def launch_live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that is fetched anew while something goes on."""
        group: ProtectionGroup = self.found(request, object_id)
        context = {"original": group, **self._board(request, group)}
        return render(request, "protection/launch_live.html", context)

    def _ask(self, request: HttpRequest, group: ProtectionGroup) -> None:
        actor, wanted = self.actor(request), request.POST.get("do")
        unverified = "unverified" in request.POST
        try:
            if wanted == "check":
                launch_drift.ask(group, actor=actor)
                told = "The servers are being compared with their settings."
            elif wanted in {"apply", "retry"}:
                launch_apply.ask(
                    group, only_failed=wanted == "retry", unverified=unverified, actor=actor
                )
                told = "The launch settings are being applied."
            else:
                raise Http404("There is nothing of this name to do.")
        except DomainError as error:
            self.refused(request, code=error.code, detail=error.detail, obj=group)
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, told, messages.SUCCESS)

    def _must_be_allowed(self, request: HttpRequest, group: ProtectionGroup) -> None:
        if not self.has_change_permission(request, group):
            raise PermissionDenied

    def _board(self, request: HttpRequest, group: ProtectionGroup) -> dict[str, Any]:
        found = launch_status.of_group(group)
        apply = found.apply
        shares = [
            Share(found.counts.get(state, 0), state.label.lower(), tone)
            for state, tone in _APPLIED_TONES.items()
        ]
        return {
            "found": found,
            "badge": _badge(found.status),
            "apply": apply,
            "apply_badge": badge(apply.get_state_display(), _of_apply(apply)) if apply else "",
            "progress": progress(shares) if apply else "",
            "group_fields": _fields(rules.merged(found.levels.layers())),
            "rows": [_row(each) for each in found.servers],
            "may_change": self.has_change_permission(request, group),
            "failed": any(each.status == LaunchStatus.FAILED for each in found.servers),
        }

    def launch_edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of the group's own settings or, with `server`, of one server's."""
        group: ProtectionGroup = self.found(request, object_id, "change")
        server = _server(group, request.GET.get("server"))
        levels = launch_levels(group)
        own = levels.servers.get(server.pk) if server else levels.group
        choices = choices_in(group.account.scope(group.region))
        form = _form(request, server, own, choices=choices)
        if request.method == "POST" and form.is_valid():
            combination = form.cleaned_data.get("combination") or Combination.ADD
            try:
                wanted = Wanted(
                    form.values(),
                    form.cleaned_data["version"],
                    server,
                    Combination(combination),
                )
                launch_settings.set_many(
                    group,
                    [wanted],
                    unverified=form.cleaned_data["unverified"],
                    actor=self.actor(request),
                )
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=group)
                form.refuse(error)
            else:
                told = "The launch settings were saved. Apply them to make AWS hold them."
                self.message_user(request, told, messages.SUCCESS)
                return HttpResponseRedirect(self.link("launch", group))
        beneath = rules.merged(_beneath(levels, server))
        return self.render(
            request,
            "protection/launch_form.html",
            obj=group,
            title=f"Launch settings of {server or group}",
            form=form,
            choices=choices,
            beneath=_fields(beneath),
            back=self.link("launch", group),
        )

    def launch_bulk_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form that sets something for several servers at once: for all of them, or none."""
        group: ProtectionGroup = self.found(request, object_id, "change")
        servers = list(servers_chosen(group))
        choices = choices_in(group.account.scope(group.region))
        kind = with_fields(BulkSettingsForm, SettingsLevel.SERVER)
        data = request.POST if request.method == "POST" else None
        form = kind(data, level=SettingsLevel.SERVER, choices=choices, servers=servers)
        if request.method == "POST" and form.is_valid():
            try:
                count = self._set_many(request, group, servers, form)
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=group)
                form.refuse(error)
            else:
                self.message_user(
                    request, f"The settings of {count} servers were saved.", messages.SUCCESS
                )
                return HttpResponseRedirect(self.link("launch", group))
        return self.render(
            request,
            "protection/launch_form.html",
            obj=group,
            title=f"Set for several servers of {group}",
            form=form,
            choices=choices,
            beneath=(),
            back=self.link("launch", group),
        )

    def _set_many(
        self,
        request: HttpRequest,
        group: ProtectionGroup,
        servers: Sequence[SourceServer],
        form: Any,
    ) -> int:
        levels, given = launch_levels(group), form.values()
        ticked = set(form.cleaned_data["servers"])
        wanted = []
        for server in servers:
            if str(server.pk) in ticked:
                own = levels.servers.get(server.pk) or LaunchSettings(version=0)
                values = {**own.values, **given}
                combination = Combination(own.combination)
                wanted.append(Wanted(values, own.version, server, combination))
        launch_settings.set_many(
            group, wanted, unverified=form.cleaned_data["unverified"], actor=self.actor(request)
        )
        return len(wanted)

    def launch_history_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the settings said at each time; by POST, going back to one of those."""
        group: ProtectionGroup = self.found(request, object_id)
        server = _server(group, request.GET.get("server"))
        levels = launch_levels(group)
        own = levels.servers.get(server.pk) if server else levels.group
        if request.method == "POST":
            self._must_be_allowed(request, group)
            self._restore(request, group, own)
            return HttpResponseRedirect(request.get_full_path())
        return self.render(
            request,
            "protection/launch_history.html",
            obj=group,
            title=f"Versions of the launch settings of {server or group}",
            lines=versions_of(own),
            version=own.version if own else 0,
            may_restore=self.has_change_permission(request, group),
            back=self.link("launch", group),
        )

    def _restore(
        self, request: HttpRequest, group: ProtectionGroup, own: LaunchSettings | None
    ) -> None:
        number, seen = (request.POST.get(name, "") for name in ("number", "version"))
        if own is None or not number.isdecimal() or not seen.isdecimal():
            raise Http404("There is no such version.")
        try:
            checked = launch_settings.check_restore(own, int(number), version=int(seen))
            launch_settings.save(checked, actor=self.actor(request))
        except DomainError as error:
            self.refused(request, code=error.code, detail=error.detail, obj=group)
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, f"Version {number} was restored.", messages.SUCCESS)


def versions_of(settings: LaunchSettings | None) -> list[Version]:
    """The versions of settings, newest first, each with what it changed."""
    if settings is None:
        return []
    kept = list(settings.versions.order_by("-number")[:_MOST_VERSIONS])
    before = {version.number + 1: version.document for version in kept}
    return [
        Version(
            number=version.number,
            by=version.created_by,
            at=version.created_at,
            changes=in_words(differences(before.get(version.number, {}), version.document)),
            current=version.number == settings.version,
        )
        for version in kept
    ]


def _server(group: ProtectionGroup, wanted: str | None) -> SourceServer | None:
    if not wanted:
        return None
    try:
        server = servers_chosen(group).filter(pk=UUID(wanted)).first()
    except ValueError:
        server = None
    if server is None:
        raise Http404("There is no such server in the group.")
    return server


def _form(
    request: HttpRequest,
    server: SourceServer | None,
    own: LaunchSettings | None,
    **more: Any,
) -> Any:
    level = SettingsLevel.SERVER if server else SettingsLevel.GROUP
    kind = with_fields(ServerSettingsForm if server else GroupSettingsForm, level)
    data = request.POST if request.method == "POST" else None
    initial = SettingsForm.initial_of(own.values if own else {}, own.version if own else 0)
    initial["combination"] = own.combination if own else Combination.ADD
    return kind(data, initial=initial, level=level, **more)


def _beneath(levels: LaunchLevels, server: SourceServer | None) -> rules.Layers:
    """What the wider levels set: what a field shows that is left empty."""
    wide = levels.layers()
    return rules.Layers(wide.installation, wide.group if server else {}, {})


def _fields(merged: Any) -> list[Field]:
    found = []
    for name, setting in merged.items():
        [told] = in_words([Difference(name, None, setting.value)])
        label = rules.BY_NAME[name].label
        found.append(Field(label, told.new, SettingsLevel(setting.level).label, setting.because))
    return found


def _row(each: launch_status.ServerStanding) -> Row:
    standing, last = each.standing, each.last
    drift = [
        Difference(said["field"], said["intended"], said["actual"])
        for said in (standing.differences if standing else [])
    ]
    waiting = last is not None and last.state == AppliedState.PENDING
    tells = last is not None and (each.status == LaunchStatus.FAILED or waiting)
    message = (last.message if last and tells else "") or (standing.message if standing else "")
    if each.status == LaunchStatus.NOT_CONFIGURED:
        message = ""
    return Row(each, _badge(each.status), _fields(each.merged), in_words(drift), message)


def _badge(status: LaunchStatus) -> SafeString:
    return badge(LaunchStatus(status).label, _TONES[LaunchStatus(status)])


def _of_apply(apply: Any) -> Tone:
    tones = {"COMPLETED": Tone.GOOD, "RUNNING": Tone.BUSY, "PENDING": Tone.WAIT}
    return tones.get(str(apply.state), Tone.BAD)
