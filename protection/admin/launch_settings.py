"""The launch settings of the installation, and the list of all that are set."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from typing_extensions import override

from drportal.access import Anybody, allowed
from drportal.adminkit.site import site
from drportal.errors import DomainError
from protection.admin.launch_forms import SettingsForm, with_fields
from protection.admin.launch_pages import versions_of
from protection.admin.recorded import RecordedAdmin
from protection.choices import SettingsLevel
from protection.models import LaunchSettings
from protection.permissions import LaunchSettingsPermission
from protection.selectors import groups_for
from protection.services import launch_installation


@admin.register(LaunchSettings, site=site)
class LaunchSettingsAdmin(RecordedAdmin):
    """What is set at which level. A group's and its servers' are edited on the group's page."""

    icon, section, place = "tune", "Protection", 34
    can = frozenset({"history"})
    page_template = "protection/launch_settings.html"
    list_display = ("level", "group", "server", "fields_set", "version", "updated_at")
    list_filter = ("level",)
    list_select_related = ("group", "server")
    search_fields = ("group__name", "server__name")
    ordering = ("level", "group__name", "server__name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[LaunchSettings]:
        groups = Q(group__in=groups_for(user).order_by())
        if user.is_authenticated and allowed(user, LaunchSettingsPermission.VIEW):
            groups |= Q(level=SettingsLevel.INSTALLATION)
        return LaunchSettings.objects.filter(groups)

    def more_urls(self) -> list[URLPattern]:
        return [self.url("installation/", self.installation_view, "installation")]

    @admin.display(description="Sets")
    def fields_set(self, settings: LaunchSettings) -> str:
        return ", ".join(sorted(settings.values)) or "nothing"

    @override
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        told = {"subtitle": "What servers are launched with"}
        answer: HttpResponse = super().changelist_view(request, {**told, **(extra_context or {})})
        return answer

    @override
    def page_context(self, request: HttpRequest, obj: LaunchSettings) -> dict[str, Any]:
        return {"lines": versions_of(obj), "may_restore": False}

    @override
    def page_buttons(self, request: HttpRequest, obj: LaunchSettings) -> list[dict[str, Any]]:
        if obj.group is None:
            return [{"label": "Edit", "link": self.link("installation")}]
        return []

    def installation_view(self, request: HttpRequest) -> HttpResponse:
        """The form of the installation's settings, and going back to an earlier version."""
        if not allowed(request.user, LaunchSettingsPermission.VIEW):
            raise Http404("There is no such page, or none that you may see.")
        may_change = allowed(request.user, LaunchSettingsPermission.CHANGE)
        own = LaunchSettings.objects.filter(level=SettingsLevel.INSTALLATION).first()
        if request.method == "POST" and not may_change:
            self.refused(request, code="forbidden", detail="This is not theirs to do.")
            raise Http404("You may see this, but not change it.")
        kind = with_fields(SettingsForm, SettingsLevel.INSTALLATION)
        initial = SettingsForm.initial_of(own.values if own else {}, own.version if own else 0)
        data = request.POST if request.method == "POST" and "number" not in request.POST else None
        form = kind(data, initial=initial, level=SettingsLevel.INSTALLATION)
        if request.method == "POST" and self._saved(request, form, own):
            return HttpResponseRedirect(request.path)
        return self.render(
            request,
            "protection/launch_installation.html",
            obj=own,
            title="Launch settings of the installation",
            form=form,
            lines=versions_of(own),
            version=own.version if own else 0,
            may_restore=may_change,
            may_change=may_change,
            back=self.link("changelist"),
        )

    def _saved(self, request: HttpRequest, form: Any, own: LaunchSettings | None) -> bool:
        number = request.POST.get("number")
        actor = self.actor(request)
        try:
            if number is not None:
                seen = request.POST.get("version", "")
                if own is None or not number.isdecimal() or not seen.isdecimal():
                    raise Http404("There is no such version.")
                launch_installation.restore_installation(
                    own, int(number), version=int(seen), actor=actor
                )
                told = f"Version {number} was restored."
            elif form.is_valid():
                launch_installation.set_for_installation(
                    form.values(), version=form.cleaned_data["version"], actor=actor
                )
                told = "The launch settings of the installation were saved."
            else:
                return False
        except DomainError as error:
            self.refused(request, code=error.code, detail=error.detail, obj=own)
            if number is not None:
                self.message_user(request, error.detail, messages.ERROR)
                return True
            form.refuse(error)
            return False
        self.message_user(request, told, messages.SUCCESS)
        return True
