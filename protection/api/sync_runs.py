"""Syncs: what they saw, and asking for one."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import LatestStartFirst
from protection.api.filters import SyncRunFilters
from protection.api.serializers import SyncAsked, SyncRunIn, SyncRunOut
from protection.choices import SyncKind
from protection.models import SyncRun
from protection.permissions import SyncPermission
from protection.services import sync_runs


class SyncRunViewSet(RecordedViewSet):
    """Runs of syncs."""

    needs = {
        "list": Needs.everywhere(SyncPermission.VIEW),
        "create": Needs.everywhere(SyncPermission.RUN),
        "retrieve": Needs.everywhere(SyncPermission.VIEW),
    }
    serializer_class = SyncRunOut
    pagination_class = LatestStartFirst
    filterset_class = SyncRunFilters

    def seen(self) -> QuerySet[Any]:
        return SyncRun.objects.all()

    def list(self, _: Request) -> Response:
        """The runs of syncs, latest first."""
        return self.paged(self.filter_queryset(self.seen()), SyncRunOut)

    @extend_schema(request=SyncRunIn, responses={202: SyncAsked})
    def create(self, request: Request) -> Response:
        """Ask for a sync now, beside those on schedule. Refused while one of its kind runs."""
        kind = SyncKind(self.taken(SyncRunIn)["kind"])
        sync_runs.ask(kind, actor=self.actor)
        said = SyncAsked({"kind": kind, "requested_by": self.actor.name}).data
        where = reverse("sync-run-list", request=request) + f"?kind={kind}"
        return Response(said, status=202, headers={"Location": where})

    def retrieve(self, _: Request, **__: str) -> Response:
        """One run of a sync: what it saw, changed, skipped and could not do."""
        return Response(SyncRunOut(self.the_object()).data)
