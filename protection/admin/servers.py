"""Source servers, as DRS last listed them. Nothing is changed here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from typing_extensions import override

from drportal.access import Anybody
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, badge, lasting
from protection.admin.filters import AccountFilter
from protection.admin.recorded import RecordedAdmin
from protection.admin.tones import readiness_badge, region_badge, seen
from protection.models import AccountRegion, SourceServer
from protection.rules.selection import matching
from protection.selectors import (
    groups_for,
    groups_with,
    readiness_of,
    regions_by_key,
    servers_for,
)

_TAGS_SHOWN = 3


@admin.register(SourceServer, site=site)
class SourceServerAdmin(RecordedAdmin):
    """The inventory, with the age of what is seen."""

    icon, section, place = "dns", "Protection", 31
    page_template = "protection/server.html"
    list_display = (
        "name_and_id",
        "readiness",
        "seen_at",
        "replication",
        "where_shown",
        "tags_shown",
    )
    list_display_links = ("name_and_id",)
    list_filter = (AccountFilter, "region", "replication_state")
    list_select_related = ("account",)
    search_fields = ("name", "hostname", "server_id", "origin_instance_id")
    search_help_text = "Name, host name or id; key=value for a tag"
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[SourceServer]:
        return servers_for(user)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        words = search_term.split()
        tags = dict(word.split("=", 1) for word in words if "=" in word)
        rest = " ".join(word for word in words if "=" not in word)
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, rest)
        return (found[0].filter(matching(tags)), found[1]) if tags else found

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        regions = regions_by_key()
        for row in rows:
            row.where = regions.get((row.account_id, row.region))

    @admin.display(description="Server", ordering="name")
    def name_and_id(self, server: SourceServer) -> str:
        return format_html(
            '{}<br><span class="dr-mono dr-quiet dr-nowrap">{}</span>',
            server.name,
            server.server_id,
        )

    @admin.display(description="Readiness")
    def readiness(self, server: Any) -> str:
        return readiness_badge(readiness_of(server, server.where))

    @admin.display(description="Replication and lag", ordering="lag")
    def replication(self, server: SourceServer) -> str:
        state = server.replication_state or "unknown"
        return format_html("{}<br>lag {}", state, lasting(server.lag))

    @admin.display(description="Account and Region", ordering="account__name")
    def where_shown(self, server: SourceServer) -> str:
        return format_html("{}<br>{}", server.account, server.region)

    @admin.display(description="Tags")
    def tags_shown(self, server: SourceServer) -> str:
        pairs = [f"{key}={value}" for key, value in sorted(server.tags.items()) if key != "Name"]
        more = len(pairs) - _TAGS_SHOWN
        shown = [*pairs[:_TAGS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        lines = format_html_join("", "<div>{}</div>", ((line,) for line in shown))
        return format_html('<div class="dr-tags">{}</div>', lines or "none")

    @admin.display(description="Last listed")
    def seen_at(self, server: Any) -> str:
        listed = seen(server.where)
        if server.gone_at is None:
            return listed
        return format_html("{}<br>{}", listed, badge("No longer listed", Tone.BAD))

    def page_context(self, request: HttpRequest, obj: SourceServer) -> dict[str, Any]:
        where = AccountRegion.objects.filter(account=obj.account, region=obj.region).first()
        verdict = readiness_of(obj, where)
        seen_groups = groups_for(request.user).order_by()
        held_by = groups_with(obj).filter(pk__in=seen_groups.values("pk"))
        return {
            "verdict": verdict,
            "badge": readiness_badge(verdict),
            "where": where,
            "region_badge": region_badge(where) if where else "",
            "seen": seen(where),
            "lag": lasting(obj.lag),
            "groups": held_by.order_by("name"),
        }
