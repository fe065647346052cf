"""Recovery instances, as DRS and EC2 last listed them. Nothing is changed here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from typing_extensions import override

from drportal.access import Anybody
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from protection.admin.filters import AccountFilter
from protection.admin.recorded import RecordedAdmin
from protection.admin.tones import instances_badge
from protection.models import AccountRegion, RecoveryInstance, SourceServer
from protection.selectors import (
    INSTANCES_STALE_AFTER,
    instances_for,
    regions_by_key,
    servers_for,
)

_STATES = {"RUNNING": Tone.GOOD, "PENDING": Tone.BUSY, "STOPPING": Tone.BUSY}
_ENDED = {"SHUTTING-DOWN", "TERMINATED", "NOT_FOUND"}


@admin.register(RecoveryInstance, site=site)
class RecoveryInstanceAdmin(RecordedAdmin):
    """What launches have left behind, with the age of what is seen."""

    icon, section, place = "cloud_done", "Protection", 34
    page_template = "protection/instance.html"
    list_display = ("name_and_id", "state", "sort", "seen_at", "where_shown", "server", "job_id")
    list_display_links = ("name_and_id",)
    list_filter = (AccountFilter, "region", "is_drill", "ec2_state")
    list_select_related = ("account",)
    search_fields = ("name", "instance_id", "server_id", "job_id", "private_ip")
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[RecoveryInstance]:
        return instances_for(user)

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        regions = regions_by_key()
        names = _names(request, {row.server_id for row in rows if row.server_id})
        for row in rows:
            row.where = regions.get((row.account_id, row.region))
            row.server_name = names.get((row.account_id, row.region, row.server_id), "")

    @admin.display(description="Instance", ordering="name")
    def name_and_id(self, instance: RecoveryInstance) -> str:
        return format_html(
            '{}<br><span class="dr-mono dr-quiet dr-nowrap">{}</span>',
            instance.name or "no name",
            instance.instance_id,
        )

    @admin.display(description="EC2 state", ordering="ec2_state")
    def state(self, instance: RecoveryInstance) -> str:
        return state_badge(instance)

    @admin.display(description="Drill or recovery", ordering="is_drill")
    def sort(self, instance: RecoveryInstance) -> str:
        return sort_of(instance)

    @admin.display(description="Last listed")
    def seen_at(self, instance: Any) -> str:
        return listed(instance.where)

    @admin.display(description="Account and Region", ordering="account__name")
    def where_shown(self, instance: RecoveryInstance) -> str:
        return format_html("{}<br>{}", instance.account, instance.region)

    @admin.display(description="Source server", ordering="server_id")
    def server(self, instance: Any) -> str:
        return format_html(
            '{}<br><span class="dr-mono dr-quiet dr-nowrap">{}</span>',
            instance.server_name,
            instance.server_id or "unknown",
        )

    @override
    def page_context(self, request: HttpRequest, obj: RecoveryInstance) -> dict[str, Any]:
        where = AccountRegion.objects.filter(account=obj.account, region=obj.region).first()
        server = servers_for(request.user).filter(
            account=obj.account, region=obj.region, server_id=obj.server_id
        )
        return {
            "badge": state_badge(obj),
            "sort": sort_of(obj),
            "seen": listed(where),
            "where": where,
            "server": server.first(),
        }


def _names(request: HttpRequest, server_ids: set[str]) -> dict[tuple[Any, str, str], str]:
    found: QuerySet[SourceServer] = servers_for(request.user).filter(server_id__in=server_ids)
    return {
        (account_id, region, server_id): name
        for account_id, region, server_id, name in found.values_list(
            "account_id", "region", "server_id", "name"
        )
    }


def state_badge(instance: RecoveryInstance) -> str:
    """The EC2 state; what is not known is not green."""
    if not instance.ec2_state:
        return badge("Unknown", Tone.UNSURE)
    ended = Tone.BAD if instance.ec2_state in _ENDED else Tone.PLAIN
    return badge(instance.ec2_state, _STATES.get(instance.ec2_state, ended))


def sort_of(instance: RecoveryInstance) -> str:
    """Whether a drill or a recovery launched it, as DRS says."""
    if instance.is_drill is None:
        return badge("Unknown", Tone.UNSURE)
    return "Drill" if instance.is_drill else "Recovery"


def listed(row: AccountRegion | None) -> str:
    """When a Region's recovery instances were last listed, and that it does not answer."""
    at = row.instances_listed_at if row else None
    return format_html("{}<br>{}", age(at, stale_after=INSTANCES_STALE_AFTER), instances_badge(row))
