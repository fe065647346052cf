from typing import Any

from django.urls import path
from rest_framework.routers import SimpleRouter

from recovery.api.clean_ups import CleanUpViewSet
from recovery.api.drill_schedules import DrillOccurrenceViewSet, DrillScheduleViewSet
from recovery.api.dry_runs import DryRunViewSet
from recovery.api.executions import ExecutionViewSet
from recovery.api.failbacks import FailbackViewSet
from recovery.api.notices import DeliveryViewSet
from recovery.api.plans import PlanViewSet
from recovery.api.preflights import PreflightViewSet
from recovery.api.terminations import TerminationViewSet
from recovery.api.transfer import ConfigurationViewSet, ImportRunViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("recovery-plans", PlanViewSet, basename="recovery-plan")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("notifications/deliveries", DeliveryViewSet, basename="delivery")
router.register("executions", TerminationViewSet, basename="termination")
router.register("executions", CleanUpViewSet, basename="clean-up")
router.register("drill-schedules", DrillScheduleViewSet, basename="drill-schedule")
router.register("drill-occurrences", DrillOccurrenceViewSet, basename="drill-occurrence")
router.register("executions", FailbackViewSet, basename="failback")
router.register("config", ConfigurationViewSet, basename="config")
router.register("imports", ImportRunViewSet, basename="import")

_PLAN = "recovery-plans/<uuid:plan>"
_LATEST: Any = {"get": "latest", "post": "create"}

urlpatterns = [
    *router.urls,
    path(
        f"{_PLAN}/preflight",
        PreflightViewSet.as_view(_LATEST, basename="preflight"),
        name="preflight-latest",
    ),
    path(
        "recovery-plans/<uuid:pk>/dry-run",
        DryRunViewSet.as_view({"post": "create"}, basename="dry-run"),
        name="dry-run",
    ),
    path(
        f"{_PLAN}/preflights",
        PreflightViewSet.as_view({"get": "list"}, basename="preflight"),
        name="preflight-list",
    ),
    path(
        f"{_PLAN}/preflights/<uuid:pk>",
        PreflightViewSet.as_view({"get": "retrieve"}, basename="preflight"),
        name="preflight-detail",
    ),
]
