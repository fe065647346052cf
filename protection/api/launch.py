"""Launch settings of groups and of servers in them: setting, applying and comparing them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import HighestVersionFirst
from drportal.errors import InvalidInput, NotFound
from protection.api import launch_serializers as shapes
from protection.api.launch_status import status_out
from protection.choices import Combination
from protection.models import LaunchSettings, LaunchSettingsVersion, ProtectionGroup, SourceServer
from protection.permissions import GroupPermission
from protection.rules import launch as rules
from protection.selectors import groups_for, launch_levels
from protection.services import launch_apply, launch_drift, launch_settings, launch_status
from protection.services.launch_rows import Wanted

_SERVER = "servers/<str:sid>/launch-config"
_SID = OpenApiParameter(
    "sid", str, OpenApiParameter.PATH, description="DRS's id, or the id of the inventory row."
)


class GroupLaunchViewSet(RecordedViewSet):
    """Launch settings of protection groups."""

    needs = {
        "config": Needs.to_see(GroupPermission.VIEW),
        "set_config": Needs.on_it(GroupPermission.CHANGE),
        "restore_config": Needs.on_it(GroupPermission.CHANGE),
        "config_history": Needs.to_see(GroupPermission.VIEW),
        "server_config": Needs.to_see(GroupPermission.VIEW),
        "set_server_config": Needs.on_it(GroupPermission.CHANGE),
        "clear_server_config": Needs.on_it(GroupPermission.CHANGE),
        "restore_server_config": Needs.on_it(GroupPermission.CHANGE),
        "server_history": Needs.to_see(GroupPermission.VIEW),
        "validate_ip": Needs.to_see(GroupPermission.VIEW),
        "bulk": Needs.on_it(GroupPermission.CHANGE),
        "apply": Needs.on_it(GroupPermission.CHANGE),
        "retry": Needs.on_it(GroupPermission.CHANGE),
        "status": Needs.to_see(GroupPermission.VIEW),
        "check_drift": Needs.on_it(GroupPermission.CHANGE),
    }
    lists = frozenset({"config_history", "server_history"})
    reads = frozenset({"validate_ip"})
    serializer_class = shapes.StatusOut
    _asked: Any = None

    def seen(self) -> QuerySet[Any]:
        return groups_for(self.request.user).select_related("account")

    # The group's own.

    @extend_schema(responses=shapes.ConfigOut)
    @action(detail=True, url_path="launch-config", filter_backends=(), pagination_class=None)
    def config(self, _: Request, **__: str) -> Response:
        """What the group sets, and what that comes to with the installation's settings."""
        return Response(self._config(self.the_object()))

    @extend_schema(request=shapes.GroupConfigIn, responses=shapes.ConfigOut)
    @config.mapping.put
    def set_config(self, _: Request, **__: str) -> Response:
        """Set what the group's servers are launched with. AWS is asked first, in the group's own
        account and Region; nothing is applied yet.
        """
        launch_settings.save(self._from_aws(self._checked_group), actor=self.actor)
        return Response(self._config(self.the_object()))

    @extend_schema(request=shapes.RestoreConfigIn, responses=shapes.ConfigOut)
    @action(detail=True, methods=["post"], url_path="launch-config/restore")
    def restore_config(self, _: Request, **__: str) -> Response:
        """Make a new version of the group's settings that says what an old one said."""
        launch_settings.save(self._from_aws(self._checked_old), actor=self.actor)
        return Response(self._config(self.the_object()))

    @extend_schema(responses=shapes.ConfigVersionOut(many=True))
    @action(
        detail=True,
        url_path="launch-config/history",
        pagination_class=HighestVersionFirst,
        filter_backends=(),
    )
    def config_history(self, _: Request, **__: str) -> Response:
        """What the group's settings said at each time, who made it so, and what that changed."""
        return self._history(launch_levels(self.the_object()).group)

    # Those of one server.

    @extend_schema(parameters=[_SID], responses=shapes.ServerConfigOut)
    @action(detail=True, url_path=_SERVER, filter_backends=(), pagination_class=None)
    def server_config(self, _: Request, **__: str) -> Response:
        """What is set for one server, what it comes to, and which level says so."""
        return Response(self._server_config(self._server()))

    @extend_schema(
        parameters=[_SID], request=shapes.ServerConfigIn, responses=shapes.ServerConfigOut
    )
    @server_config.mapping.put
    def set_server_config(self, _: Request, **__: str) -> Response:
        """Set what one server is launched with. AWS is asked first; nothing is applied yet.

        Every field of a group may be set for a server too, which the reference system refuses.
        """
        launch_settings.save(self._from_aws(self._checked_server), actor=self.actor)
        return Response(self._server_config(self._server()))

    @extend_schema(
        parameters=[
            _SID,
            OpenApiParameter("version", int, description="Clear it only at this version."),
        ],
        responses={204: None},
    )
    @server_config.mapping.delete
    def clear_server_config(self, _: Request, **__: str) -> Response:
        """Set nothing for this server any more. Its history stays."""
        group, version = self.the_object(), self.request.query_params.get("version")
        if version is not None and not version.isdecimal():
            raise InvalidInput.field("version", "invalid", "A version is a whole number.")
        launch_settings.clear(
            group,
            self._server(),
            version=int(version) if version is not None else None,
            actor=self.actor,
        )
        return Response(status=204)

    def _parameters(self) -> set[str]:
        own = {"version"} if self.action == "clear_server_config" else set()
        return super()._parameters() | own

    @extend_schema(
        parameters=[_SID], request=shapes.RestoreConfigIn, responses=shapes.ServerConfigOut
    )
    @action(detail=True, methods=["post"], url_path=f"{_SERVER}/restore")
    def restore_server_config(self, _: Request, **__: str) -> Response:
        """Make a new version of a server's settings that says what an old one said."""
        launch_settings.save(self._from_aws(self._checked_old), actor=self.actor)
        return Response(self._server_config(self._server()))

    @extend_schema(parameters=[_SID], responses=shapes.ConfigVersionOut(many=True))
    @action(
        detail=True,
        url_path=f"{_SERVER}/history",
        pagination_class=HighestVersionFirst,
        filter_backends=(),
    )
    def server_history(self, _: Request, **__: str) -> Response:
        """What a server's settings said at each time, who made it so, and what that changed."""
        server = self._server()
        return self._history(launch_levels(self.the_object()).servers.get(server.pk))

    @extend_schema(parameters=[_SID], request=shapes.AddressIn, responses=shapes.AddressOut)
    @action(detail=True, methods=["post"], url_path="servers/<str:sid>/validate-ip")
    def validate_ip(self, _: Request, **__: str) -> Response:
        """Whether a server may have a private address, and everything against it.

        AWS is asked in the group's own account and Region. What could not be asked is an error
        too (AWS_API_ERROR): the address is not valid before it is known to be.
        """
        return Response(self._from_aws(self._address))

    @extend_schema(request=shapes.BulkIn, responses=shapes.BulkOut)
    @action(detail=True, methods=["post"], url_path="servers/bulk-launch-config")
    def bulk(self, _: Request, **__: str) -> Response:
        """Set what several servers are launched with: all of it, or nothing.

        Nothing is applied yet, unlike in the reference system: ask for that when it is meant.
        """
        saved = launch_settings.save(self._from_aws(self._checked_many), actor=self.actor)
        found = launch_status.of_group(self.the_object())
        named = {row.server_id for row in saved}
        shown = [each for each in found.servers if each.server.pk in named]
        return Response({"servers": [shapes.server_config_out(found, each) for each in shown]})

    # Applying and comparing.

    @extend_schema(request=shapes.ApplyIn, responses={202: shapes.LaunchJobOut})
    @action(detail=True, methods=["post"], url_path="apply-launch-configs")
    def apply(self, _: Request, **__: str) -> Response:
        """Apply the settings, as they are now, to the group's servers in DRS and EC2.

        Refused while that is under way. One whose worker died goes on by itself.
        """
        wanted = self.taken(shapes.ApplyIn)
        apply = launch_apply.ask(self.the_object(), **wanted, actor=self.actor)
        return self._begun("Launch settings are being applied.", job=apply.pk)

    @extend_schema(request=shapes.ApplyIn, responses={202: shapes.LaunchJobOut})
    @action(detail=True, methods=["post"], url_path="retry-launch-configs")
    def retry(self, _: Request, **__: str) -> Response:
        """Apply the settings, as they are now, to the servers to which it failed the last time."""
        wanted = self.taken(shapes.ApplyIn)
        apply = launch_apply.ask(self.the_object(), only_failed=True, **wanted, actor=self.actor)
        return self._begun("Launch settings are being applied to what failed.", job=apply.pk)

    @extend_schema(responses=shapes.StatusOut)
    @action(detail=True, url_path="launch-config-status", filter_backends=(), pagination_class=None)
    def status(self, _: Request, **__: str) -> Response:
        """How the group's launch settings stand: progress, results and drift of each server.

        `drifted` is what DRS and EC2 were seen to hold otherwise, and `unknown`, which the
        reference system does not have, what nobody has looked at since it may have changed.
        """
        return Response(status_out(launch_status.of_group(self.the_object())))

    @extend_schema(request=None, responses={202: shapes.LaunchJobOut})
    @action(detail=True, methods=["post"], url_path="check-drift")
    def check_drift(self, _: Request, **__: str) -> Response:
        """Compare what is set with what DRS and EC2 hold now. Nothing is changed in AWS."""
        launch_drift.ask(self.the_object(), actor=self.actor)
        return self._begun("The servers are being compared with their settings.", job=None)

    # What AWS is asked, before the transaction in which a request with a key is carried out.

    def _from_aws(self, ask: Callable[[], Any]) -> Any:
        if self._asked is None:
            self._asked = ask()
        return self._asked

    def _once(self, key: str, act: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        asks: dict[str, Callable[[], Any]] = {
            "set_config": self._checked_group,
            "restore_config": self._checked_old,
            "set_server_config": self._checked_server,
            "restore_server_config": self._checked_old,
            "validate_ip": self._address,
            "bulk": self._checked_many,
        }
        ask = asks.get(self.action or "")
        if ask is not None:
            self._from_aws(ask)
        return super()._once(key, act, request, *args, **kwargs)

    def _checked_group(self) -> launch_settings.Checked:
        group, body = self.the_object(), self.taken(shapes.GroupConfigIn)
        wanted = Wanted(body["launchConfig"], body["version"], prefix="launchConfig.")
        return launch_settings.check(group, [wanted], unverified=body["unverified"])

    def _checked_server(self) -> launch_settings.Checked:
        group, body = self.the_object(), self.taken(shapes.ServerConfigIn)
        wanted = _wanted(body, self._server(), prefix="launchTemplate.")
        return launch_settings.check(group, [wanted], unverified=body["unverified"])

    def _checked_many(self) -> launch_settings.Checked:
        group, body = self.the_object(), self.taken(shapes.BulkIn)
        named = launch_settings.members(
            group, [entry["sourceServerId"] for entry in body["servers"]]
        )
        wanted = [
            _wanted(entry, server, prefix=f"servers[{place}].launchTemplate.")
            for place, (entry, server) in enumerate(zip(body["servers"], named, strict=True))
        ]
        return launch_settings.check(group, wanted, unverified=body["unverified"])

    def _checked_old(self) -> launch_settings.Checked:
        levels = launch_levels(self.the_object())
        body = self.taken(shapes.RestoreConfigIn)
        row = levels.servers.get(self._server().pk) if "sid" in self.kwargs else levels.group
        if row is None:
            raise NotFound("Nothing was ever set here.")
        return launch_settings.check_restore(row, **body)

    def _address(self) -> dict[str, Any]:
        group, server = self.the_object(), self._server()
        body = self.taken(shapes.AddressIn)
        found = launch_settings.check_address(
            group, server, body["staticPrivateIp"], subnet_id=body.get("subnetId")
        )
        return {
            "valid": not found.complaints,
            "staticPrivateIp": found.ip,
            "subnetId": found.subnet_id or None,
            "errors": [complaint.as_error() for complaint in found.complaints],
        }

    # Answers.

    def _server(self) -> SourceServer:
        server = launch_settings.member(self.the_object(), self.kwargs["sid"])
        if server is None:
            raise NotFound("There is no such server in the group.")
        return server

    def _config(self, group: ProtectionGroup) -> dict[str, Any]:
        levels = launch_levels(group)
        return shapes.config_out(levels.group, rules.intended(levels.layers()))

    def _server_config(self, server: SourceServer) -> dict[str, Any]:
        found = launch_status.of_group(self.the_object())
        [each] = [each for each in found.servers if each.server.pk == server.pk]
        return shapes.server_config_out(found, each)

    def _history(self, settings: LaunchSettings | None) -> Response:
        rows = LaunchSettingsVersion.objects.filter(settings=settings)
        documents = dict(rows.values_list("number", "document"))
        return self.paged(rows, shapes.ConfigVersionOut, documents=documents)

    def _begun(self, message: str, *, job: Any) -> Response:
        group: Any = self.found
        said = {"groupId": str(group.pk), "message": message}
        where = self.reverse_action("status", kwargs={"pk": group.pk})
        body = said | {"syncJobId": str(job) if job else None}
        return Response(body, status=202, headers={"Location": where})


def _wanted(body: dict[str, Any], server: SourceServer, *, prefix: str) -> Wanted:
    combination = Combination.ADD if body["useGroupDefaults"] else Combination.REPLACE
    make = partial(Wanted, combination=combination, prefix=prefix)
    return make(body["launchTemplate"], body["version"], server)
