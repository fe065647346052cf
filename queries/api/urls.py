"""The paths of questions, as the reference system has them."""

from django.urls import path

from queries.api.capacity import CapacityViewSet
from queries.api.questions import QuestionViewSet
from queries.api.resources import ResourcesViewSet
from queries.api.servers import ServersViewSet

_PATHS: tuple[tuple[str, type[QuestionViewSet], str], ...] = (
    ("accounts/targets/<str:account>/capacity", CapacityViewSet, "retrieve"),
    ("accounts/capacity/all", CapacityViewSet, "everything"),
    ("drs/quotas", CapacityViewSet, "quotas"),
    ("drs/source-servers", ServersViewSet, "of_region"),
    ("drs/source-server-inventory", ServersViewSet, "inventory"),
    ("ec2/subnets", ResourcesViewSet, "subnets"),
    ("ec2/security-groups", ResourcesViewSet, "security_groups"),
    ("ec2/instance-profiles", ResourcesViewSet, "instance_profiles"),
    ("ec2/instance-types", ResourcesViewSet, "instance_types"),
)
_NAMES = {CapacityViewSet: "capacity", ServersViewSet: "drs", ResourcesViewSet: "ec2"}

urlpatterns = [
    path(
        route,
        view.as_view({"get": action}, basename=_NAMES[view]),
        name=f"{_NAMES[view]}-{action.replace('_', '-')}",
    )
    for route, view, action in _PATHS
]
