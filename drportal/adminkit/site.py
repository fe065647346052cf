"""The admin site. Only pages that are registered here exist: what an app brings along does not."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from unfold.sites import UnfoldAdminSite


class PortalAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme has no annotations
    """Operators' pages, with a menu made of what the person may see."""

    site_title = "DR portal"
    site_header = "DR portal"
    index_title = "Overview"
    final_catch_all_view = True

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        return context | {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "site_url": None,
            "site_symbol": "shield",
            "show_history": False,
            "styles": [static("portal/portal.css")],
            "scripts": [static("portal/portal.js")],
            "sidebar_navigation": self._menu(request, context["available_apps"]),
        }

    def _menu(self, request: HttpRequest, apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        home = reverse(f"{self.name}:index")
        sections: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        for app in apps:
            for entry in app["models"]:
                page = self._registry[entry["model"]]
                item = _item(request, entry["name"], page.icon, entry["admin_url"])
                sections.setdefault(page.section, []).append((page.place, item))
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
