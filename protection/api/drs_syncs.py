"""The syncs under the paths by which the reference system knows them."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from protection.api.instance_serializers import LastSync, NothingIn
from protection.api.serializers import SyncAsked
from protection.choices import SyncKind
from protection.models import SyncRun
from protection.permissions import SyncPermission
from protection.selectors import last_sync
from protection.services import sync_runs


class _SyncViewSet(RecordedViewSet):
    kind: ClassVar[SyncKind]
    needs = {
        "create": Needs.everywhere(SyncPermission.RUN),
        "retrieve": Needs.everywhere(SyncPermission.VIEW),
    }
    serializer_class = LastSync

    def seen(self) -> QuerySet[Any]:
        return SyncRun.objects.filter(kind=self.kind)

    def _asked(self, request: Request) -> Response:
        self.taken(NothingIn)
        sync_runs.ask(self.kind, actor=self.actor)
        said = SyncAsked({"kind": self.kind, "requested_by": self.actor.name}).data
        where = reverse("sync-run-list", request=request) + f"?kind={self.kind}"
        return Response(said, status=202, headers={"Location": where})

    def _last(self) -> Response:
        return Response(LastSync({"last_run": last_sync(self.kind)}).data)


class TagSyncViewSet(_SyncViewSet):
    """The tag sync."""

    kind = SyncKind.TAGS

    @extend_schema(request=NothingIn, responses={202: SyncAsked})
    def create(self, request: Request) -> Response:
        """Ask for a tag sync now. Refused while one runs.

        It always works in the background and covers what the settings choose, with the role that
        each account is registered with; so accounts, Regions and roles are not taken here.
        """
        return self._asked(request)

    @extend_schema(responses=LastSync)
    def retrieve(self, _: Request) -> Response:
        """The latest run of the tag sync, or that there was none."""
        return self._last()


class InstanceSyncViewSet(_SyncViewSet):
    """The recovery-instance sync."""

    kind = SyncKind.RECOVERY_INSTANCES

    @extend_schema(request=NothingIn, responses={202: SyncAsked})
    def create(self, request: Request) -> Response:
        """Ask for the recovery instances to be listed now. Refused while that is under way."""
        return self._asked(request)

    @extend_schema(responses=LastSync)
    def retrieve(self, _: Request) -> Response:
        """The latest run of the recovery-instance sync, or that there was none."""
        return self._last()
