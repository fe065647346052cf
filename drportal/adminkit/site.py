"""The admin site. Only pages that are registered here exist: what an app brings along does not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import urlencode
from unfold.dataclasses import Favicon
from unfold.sites import UnfoldAdminSite

from drportal.access import Anybody

# Blue instead of the theme's purple, from dark on light to light on dark.
_PRIMARY = {
    "50": "oklch(97% .014 254.6)",
    "100": "oklch(93.2% .032 255.6)",
    "200": "oklch(88.2% .059 254.1)",
    "300": "oklch(80.9% .105 251.8)",
    "400": "oklch(70.7% .165 254.6)",
    "500": "oklch(62.3% .214 259.8)",
    "600": "oklch(54.6% .245 262.9)",
    "700": "oklch(48.8% .243 264.4)",
    "800": "oklch(42.4% .199 265.6)",
    "900": "oklch(37.9% .146 265.5)",
    "950": "oklch(28.2% .091 267.9)",
}


@dataclass(frozen=True, slots=True)
class MenuPage:
    """A page of its own, of no model, in the menu of whoever `may` see it. `name` is its URL's."""

    title: str
    icon: str
    section: str
    place: int
    name: str
    may: Callable[[Anybody], bool]


class PortalAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme has no annotations
    """Operators' pages, with a menu made of what the person may see."""

    site_title = "DR portal"
    site_header = "DR portal"
    index_title = "Overview"
    final_catch_all_view = True
    menu_pages: tuple[MenuPage, ...] = ()

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        return context | {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "site_url": None,
            "site_symbol": "shield",
            "colors": context["colors"] | {"primary": _PRIMARY},
            "site_favicons": [Favicon(href=static("portal/icon.svg"), rel="icon")],
            "show_history": False,
            "styles": [static("portal/portal.css")],
            "scripts": [static("portal/portal.js")],
            "sidebar_navigation": self._menu(request, context["available_apps"]),
        }

    def pages(self) -> list[Any]:
        """Every page that is registered."""
        return list(self._registry.values())

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # The theme's form does not say where to go on to; without it, Django goes nowhere.
        named = REDIRECT_FIELD_NAME in request.GET or REDIRECT_FIELD_NAME in request.POST
        if request.method == "GET" and not named:
            home = urlencode({REDIRECT_FIELD_NAME: reverse(f"{self.name}:index")})
            return HttpResponseRedirect(f"{request.path}?{home}")
        answer: HttpResponse = super().login(request, extra_context)
        return answer

    def _menu(self, request: HttpRequest, apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        home = reverse(f"{self.name}:index")
        sections: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        for app in apps:
            for entry in app["models"]:
                page = self._registry[entry["model"]]
                item = _item(request, page.menu or entry["name"], page.icon, entry["admin_url"])
                sections.setdefault(page.section, []).append((page.place, item))
        for own in self.menu_pages:
            if own.may(request.user):
                item = _item(request, own.title, own.icon, reverse(own.name))
                sections.setdefault(own.section, []).append((own.place, item))
        overview = _item(request, "Overview", "monitoring", home)
        overview["active"] = request.path == home
        menu: list[dict[str, Any]] = [{"title": "", "items": [overview]}]
        for section in sorted(sections, key=lambda name: min(sections[name], key=_place)[0]):
            items = [item for _, item in sorted(sections[section], key=_place)]
            menu.append({"title": section, "items": items, "separator": True})
        return menu


def _place(entry: tuple[int, dict[str, Any]]) -> int:
    return entry[0]


def _item(request: HttpRequest, title: str, icon: str, link: str | None) -> dict[str, Any]:
    return {
        "title": title[:1].upper() + title[1:],
        "icon": icon,
        "link": link,
        "active": bool(link) and request.path.startswith(link or ""),
        "has_permission": True,
    }


site = PortalAdminSite(name="admin")
# Django's own deletion of what is ticked goes past the services.
site.disable_action("delete_selected")
