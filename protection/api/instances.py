"""Recovery instances."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import ByName
from protection.api.filters import InstanceFilters
from protection.api.instance_serializers import InstanceOut
from protection.permissions import InstancePermission
from protection.selectors import instances_for, regions_by_key


class InstanceViewSet(RecordedViewSet):
    """What launches have left behind."""

    needs = {
        "list": Needs.to_see(InstancePermission.VIEW),
        "retrieve": Needs.to_see(InstancePermission.VIEW),
    }
    serializer_class = InstanceOut
    pagination_class = ByName
    filterset_class = InstanceFilters

    def seen(self) -> QuerySet[Any]:
        return instances_for(self.request.user).select_related("account")

    def list(self, _: Request) -> Response:
        """The recovery instances of the accounts that one may see, by name.

        What is not known is null, and each says when its account and Region were last listed.
        """
        found = self.filter_queryset(self.seen())
        return self.paged(found, InstanceOut, regions=regions_by_key())

    def retrieve(self, _: Request, **__: str) -> Response:
        """One recovery instance, as DRS and EC2 last listed it."""
        context = {"regions": regions_by_key()}
        return Response(InstanceOut(self.the_object(), context=context).data)
