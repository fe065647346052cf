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
from drportal.api.pagination import ByName, HighestVersionFirst
from drportal.api.schema import refusal
from drportal.aws.regions import is_drs_region
from drportal.errors import InvalidInput, NotFound
from protection.api import group_serializers as shapes
from protection.api.examples import BY_TAGS, ONE_BY_ONE, PREVIEW, RESOLVE
from protection.api.filters import GroupFilters
from protection.api.resolve_serializers import Resolved, ResolveIn, resolved
from protection.api.serializers import ServerOut
from protection.errors import InvalidParameter, MissingParameter, NoSuchVersion
from protection.models import ProtectionGroup, TargetAccount
from protection.permissions import AccountPermission, GroupPermission
from protection.selectors import (
    accounts_for,
    groups_for,
    regions_by_key,
    servers_chosen,
    servers_for,
    servers_with,
    whole_groups,
)
from protection.services import groups, previews


class GroupViewSet(RecordedViewSet):
    """Protection groups."""

    needs = {
        "list": Needs.to_see(GroupPermission.VIEW),
        "create": Needs.everywhere(GroupPermission.ADD),
        "retrieve": Needs.to_see(GroupPermission.VIEW),
        "update": Needs.on_it(GroupPermission.CHANGE),
        "partial_update": Needs.on_it(GroupPermission.CHANGE),
        "destroy": Needs.on_it(GroupPermission.DELETE),
        "servers": Needs.to_see(GroupPermission.VIEW),
        "versions": Needs.to_see(GroupPermission.VIEW),
        "version": Needs.to_see(GroupPermission.VIEW),
        "restore": Needs.on_it(GroupPermission.CHANGE),
        "preview": Needs.to_see(AccountPermission.VIEW),
        "resolve": Needs.to_see(AccountPermission.VIEW),
        "resolve_group": Needs.to_see(GroupPermission.VIEW),
    }
    lists = frozenset({"list", "servers", "versions"})
    reads = frozenset({"preview", "resolve", "resolve_group"})
    serializer_class = shapes.GroupOut
    filterset_class = GroupFilters

    def seen(self) -> QuerySet[Any]:
        return whole_groups(groups_for(self.request.user))

    def list(self, _: Request) -> Response:
        """The protection groups that one may see, newest first.

        In pages, each with the address of the next, where the reference system answers with all
        groups at once.
        """
        return self.paged(self.filter_queryset(self.seen()), shapes.GroupOut)

    @extend_schema(
        request=shapes.GroupIn, responses={201: shapes.GroupOut}, examples=[BY_TAGS, ONE_BY_ONE]
    )
    def create(self, _: Request) -> Response:
        """Make a group of servers of one account and Region, by tags or one by one.

        One must see the account. A server is in one group of explicit servers at most, and no two
        groups of an account and Region have equal tags. A group that would share servers with
        others is refused, with these servers and groups, unless `allow_overlap` is true. More
        servers than a launch job may hold (100) are no reason to refuse: a wave is cut into jobs.
        """
        wanted = self.taken(shapes.GroupIn)
        wanted["account"] = self._account(wanted["account"])
        group = groups.create(**wanted, actor=self.actor)
        return self.created(self._shown(group).data, group.pk)

    def retrieve(self, _: Request, **__: str) -> Response:
        """One protection group."""
        return Response(shapes.GroupOut(self.the_object()).data)

    @extend_schema(request=shapes.GroupEdit)
    def update(self, _: Request, **__: str) -> Response:
        """Change a whole group into its next version: what is left out is emptied.

        With `version`, only if that is still the latest: else 409, with both versions. Refused
        while an execution needs the group that has not reached its waves; one that has holds the
        servers that it began with. `PATCH` changes a part, as the reference system's `PUT` does.
        """
        edited = groups.edit(self.the_object(), **self.taken(shapes.GroupEdit), actor=self.actor)
        return Response(self._shown(edited).data)

    @extend_schema(request=shapes.GroupPatch)
    def partial_update(self, _: Request, **__: str) -> Response:
        """Change a part of a group, into its next version: what is left out stays as it is.

        Tags take the place of servers that were chosen one by one, and the other way round. For
        the rest it is as with `PUT`.
        """
        changes = self.taken(shapes.GroupPatch)
        return Response(
            self._shown(groups.amend(self.the_object(), **changes, actor=self.actor)).data
        )

    def destroy(self, _: Request, **__: str) -> Response:
        """Delete a group. Refused while a plan or an execution needs it.

        A group that is not there is a 404; the reference system calls that deleted.
        """
        groups.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(responses=ServerOut(many=True))
    @action(detail=True, pagination_class=ByName, filter_backends=())
    def servers(self, _: Request, **__: str) -> Response:
        """The servers that the group holds now, by name."""
        found = servers_chosen(self.the_object()).select_related("account")
        return self.paged(found, ServerOut, regions=regions_by_key())

    @extend_schema(responses=shapes.GroupVersionOut(many=True))
    @action(detail=True, pagination_class=HighestVersionFirst, filter_backends=())
    def versions(self, _: Request, **__: str) -> Response:
        """What the group said at each time, newest first."""
        return self.paged(self.the_object().versions.all(), shapes.GroupVersionOut)

    @extend_schema(responses=shapes.GroupVersionWithChanges)
    @action(detail=True, url_path="versions/<int:number>", filter_backends=())
    def version(self, _: Request, *, number: int, **__: str) -> Response:
        """One version of the group, with what it changed."""
        group = self.the_object()
        kept = group.versions.filter(number=number).first()
        if kept is None:
            raise NoSuchVersion(group, number)
        before = group.versions.filter(number__lt=number).order_by("-number").first()
        return Response(shapes.GroupVersionWithChanges(kept, context={"before": before}).data)

    @extend_schema(request=shapes.RestoreIn, responses=shapes.GroupOut)
    @action(detail=True, methods=["post"], filter_backends=())
    def restore(self, _: Request, **__: str) -> Response:
        """Make a new version that says what an old one said. It is checked as an edit is."""
        wanted = self.taken(shapes.RestoreIn)
        group = groups.restore(self.the_object(), wanted.pop("number"), **wanted, actor=self.actor)
        return Response(self._shown(group).data)

    @extend_schema(request=shapes.PreviewIn, responses={200: shapes.PreviewOut}, examples=[PREVIEW])
    @action(detail=False, methods=["post"], filter_backends=())
    def preview(self, _: Request) -> Response:
        """What a group with this choice would hold now, and what that means. Nothing is saved.

        With `group`, beside what that group holds now: which servers are new, which would leave.
        """
        wanted = self.taken(shapes.PreviewIn)
        account, region = self._account(wanted["account"]), wanted["region"]
        found = previews.preview(
            self._chosen(account, wanted),
            account_id=account.pk,
            region=region,
            group=self._group_there(wanted.get("group"), account, region),
        )
        return Response(shapes.preview_out(found, regions_by_key()))

    @extend_schema(
        request=ResolveIn,
        responses={200: Resolved, **refusal(404, "There is no such account or group.")},
        examples=[RESOLVE],
    )
    @action(detail=False, methods=["post"], filter_backends=())
    def resolve(self, _: Request) -> Response:
        """The servers that tags stand for now, in an account and Region.

        With `protectionGroupId`, in those of the group; then without tags, what the group holds.
        The inventory answers, for the account that DRS manages the servers in, by the same matcher
        that saves groups and starts executions.
        """
        asked = self.taken(ResolveIn)
        group = self._asked_group(asked)
        tags = _tags(asked)
        if group is not None and not tags:
            return Response(_of_group(group))
        account = self._asked_account(asked, group)
        region = _region(asked, group)
        if not tags:
            raise MissingParameter.field("tags", "required", "Tags to resolve are missing.")
        tags = groups.checked_tags(tags)
        found = servers_with(account_id=account.pk, region=region, tags=tags)
        return Response(resolved(found, account=account, region=region, tags=tags))

    @extend_schema(
        operation_id="protection_groups_resolve_group", request=None, responses={200: Resolved}
    )
    @action(detail=True, methods=["post"], url_path="resolve", filter_backends=())
    def resolve_group(self, _: Request, **__: str) -> Response:
        """The servers that the group holds now, however it chooses them."""
        return Response(_of_group(self.the_object()))

    def _shown(self, group: ProtectionGroup) -> shapes.GroupOut:
        """The group as it was saved. Who saved it need not be somebody who sees it afterwards."""
        return shapes.GroupOut(whole_groups(ProtectionGroup.objects.all()).get(pk=group.pk))

    def _chosen(self, account: TargetAccount, wanted: dict[str, Any]) -> QuerySet[Any]:
        tags, server_ids = wanted.get("tags"), wanted.get("server_ids")
        groups.must_choose(tags, server_ids)
        region = wanted["region"]
        if tags:
            tags = groups.checked_tags(tags)
            return servers_with(account_id=account.pk, region=region, tags=tags)
        here = servers_for(self.request.user).filter(account=account, region=region)
        return here.filter(pk__in=server_ids or ()).order_by("name", "id")

    def _account(self, account_id: UUID) -> TargetAccount:
        account = accounts_for(self.request.user).filter(pk=account_id).first()
        if account is None:
            message = "There is no such account, or none that you may see."
            raise InvalidInput.field("account", "unknown_account", message)
        return account

    def _group_there(
        self, group_id: UUID | None, account: TargetAccount, region: str
    ) -> ProtectionGroup | None:
        if group_id is None:
            return None
        here = groups_for(self.request.user).filter(account=account, region=region)
        group = here.filter(pk=group_id).first()
        if group is None:
            message = "There is no such group in this account and Region, or none you may see."
            raise InvalidInput.field("group", "unknown_group", message)
        return group

    def _asked_group(self, asked: dict[str, Any]) -> ProtectionGroup | None:
        group_id = asked.get("protectionGroupId")
        if group_id is None:
            return None
        seen = groups_for(self.request.user).select_related("account")
        group = seen.filter(pk=group_id).first()
        if group is None:
            raise NotFound("There is no such protection group, or none that you may see.")
        return group

    def _asked_account(self, asked: dict[str, Any], group: ProtectionGroup | None) -> TargetAccount:
        """The account that is named, or that of the group. One must see it: who sees a group sees
        its servers, and not all of its account's.
        """
        seen = accounts_for(self.request.user)
        if group is not None:
            account = seen.filter(pk=group.account_id).first()
        elif "accountId" in asked:
            account = seen.filter(account_id=asked["accountId"]).first()
        else:
            message = "accountId or protectionGroupId is missing."
            raise MissingParameter.field("accountId", "required", message)
        if account is None:
            raise NotFound("There is no such account, or none that you may see.")
        return account


def _of_group(group: ProtectionGroup) -> dict[str, Any]:
    return resolved(
        servers_chosen(group), account=group.account, region=group.region, tags=group.tags
    )


def _tags(asked: dict[str, Any]) -> dict[str, str]:
    tags: dict[str, str] = asked.get("tags") or asked.get("serverSelectionTags") or {}
    if asked.get("serverSelectionTags", tags) != tags:
        message = "tags and serverSelectionTags are not the same."
        raise InvalidParameter.field("serverSelectionTags", "invalid", message)
    return tags


def _region(asked: dict[str, Any], group: ProtectionGroup | None) -> str:
    region: str = asked.get("region") or (group.region if group else "")
    if not region:
        raise MissingParameter.field("region", "required", "The Region is missing.")
    if not is_drs_region(region):
        raise InvalidParameter.field("region", "unknown_region", f"DRS has no Region {region}.")
    return region
