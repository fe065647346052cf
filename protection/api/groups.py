"""Protection groups."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import ByName
from drportal.errors import InvalidInput
from protection.api.examples import BY_TAGS, ONE_BY_ONE, PREVIEW
from protection.api.filters import GroupFilters
from protection.api.serializers import GroupEdit, GroupIn, GroupOut, Preview, PreviewIn, ServerOut
from protection.models import TargetAccount
from protection.permissions import AccountPermission, GroupPermission
from protection.rules.selection import checked
from protection.selectors import (
    accounts_for,
    groups_for,
    regions_by_key,
    servers_chosen,
    servers_for,
    servers_with,
)
from protection.services import groups

_SHOWN = 500


class GroupViewSet(RecordedViewSet):
    """Protection groups."""

    needs = {
        "list": Needs.to_see(GroupPermission.VIEW),
        "create": Needs.everywhere(GroupPermission.ADD),
        "retrieve": Needs.to_see(GroupPermission.VIEW),
        "update": Needs.on_it(GroupPermission.CHANGE),
        "destroy": Needs.on_it(GroupPermission.DELETE),
        "servers": Needs.to_see(GroupPermission.VIEW),
        "preview": Needs.to_see(AccountPermission.VIEW),
    }
    lists = frozenset({"list", "servers"})
    reads = frozenset({"preview"})
    serializer_class = GroupOut
    filterset_class = GroupFilters

    def seen(self) -> QuerySet[Any]:
        found = groups_for(self.request.user)
        return found.select_related("account").prefetch_related("members")

    def list(self, _: Request) -> Response:
        """The protection groups that one may see, newest first."""
        return self.paged(self.filter_queryset(self.seen()), GroupOut)

    @extend_schema(request=GroupIn, responses={201: GroupOut}, examples=[BY_TAGS, ONE_BY_ONE])
    def create(self, _: Request) -> Response:
        """Make a group of servers of one account and Region, by tags or one by one.

        One must see the account. A server is in one group of explicit servers at most.
        """
        wanted = self.taken(GroupIn)
        wanted["account"] = self._account(wanted["account"])
        group = groups.create(**wanted, actor=self.actor)
        return self.created(GroupOut(group).data, group.pk)

    def retrieve(self, _: Request, **__: str) -> Response:
        """One protection group."""
        return Response(GroupOut(self.the_object()).data)

    @extend_schema(request=GroupEdit)
    def update(self, _: Request, **__: str) -> Response:
        """Give a group a new name, description and choice of servers.

        Executions under way are not touched: they hold the servers that they began with.
        """
        group = self.the_object()
        edited = groups.edit(group, **self.taken(GroupEdit), actor=self.actor)
        return Response(GroupOut(edited).data)

    def destroy(self, _: Request, **__: str) -> Response:
        """Delete a group. Refused while a plan needs it."""
        groups.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(responses=ServerOut(many=True))
    @action(detail=True, pagination_class=ByName, filter_backends=())
    def servers(self, _: Request, **__: str) -> Response:
        """The servers that the group holds now, by name."""
        found = servers_chosen(self.the_object()).select_related("account")
        return self.paged(found, ServerOut, regions=regions_by_key())

    @extend_schema(request=PreviewIn, responses={200: Preview}, examples=[PREVIEW])
    @action(detail=False, methods=["post"], filter_backends=())
    def preview(self, _: Request) -> Response:
        """The servers that a choice would hold now. Nothing is saved."""
        wanted = self.taken(PreviewIn)
        account = self._account(wanted["account"])
        found = self._chosen(account, wanted)
        shown = ServerOut(
            found.select_related("account")[:_SHOWN],
            many=True,
            context={"regions": regions_by_key()},
        )
        return Response({"count": found.count(), "servers": shown.data})

    def _chosen(self, account: TargetAccount, wanted: dict[str, Any]) -> QuerySet[Any]:
        tags, server_ids = wanted.get("tags"), wanted.get("server_ids")
        if bool(tags) == bool(server_ids):
            message = "Choose servers either by tags or one by one, and choose at least one."
            raise InvalidInput.field("selection", "tags_or_servers", message)
        region = wanted["region"]
        if tags:
            return servers_with(account_id=account.pk, region=region, tags=checked(tags))
        here = servers_for(self.request.user).filter(account=account, region=region)
        return here.filter(pk__in=server_ids or ()).order_by("name", "id")

    def _account(self, account_id: UUID) -> TargetAccount:
        account = accounts_for(self.request.user).filter(pk=account_id).first()
        if account is None:
            message = "There is no such account, or none that you may see."
            raise InvalidInput.field("account", "unknown_account", message)
        return account
