"""The inventory of source servers."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import ByName
from protection.api.filters import ServerFilters
from protection.api.serializers import ServerOut
from protection.permissions import ServerPermission
from protection.selectors import regions_by_key, servers_for


class ServerViewSet(RecordedViewSet):
    """Source servers."""

    needs = {
        "list": Needs.to_see(ServerPermission.VIEW),
        "retrieve": Needs.to_see(ServerPermission.VIEW),
    }
    repeatable = frozenset({"tag"})
    serializer_class = ServerOut
    pagination_class = ByName
    filterset_class = ServerFilters

    def seen(self) -> QuerySet[Any]:
        return servers_for(self.request.user).select_related("account")

    def list(self, _: Request) -> Response:
        """The source servers of the accounts that one may see, by name.

        What is not known is null, and each server says how old its facts are.
        """
        found = self.filter_queryset(self.seen())
        return self.paged(found, ServerOut, regions=regions_by_key())

    def retrieve(self, _: Request, **__: str) -> Response:
        """One source server, as DRS last listed it."""
        context = {"regions": regions_by_key()}
        return Response(ServerOut(self.the_object(), context=context).data)
