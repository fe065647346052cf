"""The delivery log: what went out, to whom, and what did not."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from recovery.models import Delivery
from recovery.models.notices import DeliveryState, Medium
from recovery.permissions import NoticePermission
from recovery.selectors import deliveries_for


class DeliveryOut(serializers.ModelSerializer[Delivery]):
    """One notice to one recipient. `to` is a mail address, or a channel without its secrets."""

    notice = serializers.CharField(
        source="notice.kind", read_only=True, help_text="What was told, such as WAVE_FAILED."
    )
    about = serializers.CharField(
        source="notice.about", read_only=True, help_text="DRILL, RECOVERY, or empty for neither."
    )
    at = serializers.DateTimeField(
        source="notice.at", read_only=True, help_text="When it happened."
    )
    plan_id = serializers.UUIDField(source="notice.plan_id", read_only=True, allow_null=True)
    plan_name = serializers.CharField(source="notice.plan_name", read_only=True)
    execution_id = serializers.UUIDField(
        source="notice.execution_id", read_only=True, allow_null=True
    )
    to = serializers.CharField(source="shown", read_only=True)

    class Meta:
        model = Delivery
        fields = (
            "id",
            "notice",
            "about",
            "at",
            "plan_id",
            "plan_name",
            "execution_id",
            "medium",
            "to",
            "state",
            "attempts",
            "last_error",
            "created_at",
            "due_at",
            "ended_at",
        )
        read_only_fields = fields


class DeliveryFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of deliveries."""

    plan_id = django_filters.UUIDFilter(field_name="notice__plan_id")
    execution_id = django_filters.UUIDFilter(field_name="notice__execution_id")
    notice = django_filters.CharFilter(field_name="notice__kind")
    state = django_filters.ChoiceFilter(choices=DeliveryState.choices)
    medium = django_filters.ChoiceFilter(choices=Medium.choices)


class DeliveryViewSet(RecordedViewSet):
    """Deliveries of notices. Whoever may edit a plan sees those about it."""

    needs = {
        "list": Needs.to_see(NoticePermission.VIEW_DELIVERIES),
        "retrieve": Needs.to_see(NoticePermission.VIEW_DELIVERIES),
    }
    serializer_class = DeliveryOut
    filterset_class = DeliveryFilters

    def seen(self) -> QuerySet[Any]:
        return deliveries_for(self.request.user)

    def list(self, _: Request) -> Response:
        """The deliveries that one may see, newest first."""
        return self.paged(self.filter_queryset(self.seen()), DeliveryOut)

    @extend_schema(responses=DeliveryOut)
    def retrieve(self, _: Request, **__: str) -> Response:
        """One delivery."""
        return Response(DeliveryOut(self.the_object()).data)
