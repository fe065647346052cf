from rest_framework.routers import SimpleRouter

from recovery.api.executions import ExecutionViewSet
from recovery.api.notices import DeliveryViewSet
from recovery.api.plans import PlanViewSet
from recovery.api.terminations import TerminationViewSet
from recovery.api.transfer import ConfigurationViewSet, ImportRunViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("recovery-plans", PlanViewSet, basename="recovery-plan")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("notifications/deliveries", DeliveryViewSet, basename="delivery")
router.register("executions", TerminationViewSet, basename="termination")
router.register("config", ConfigurationViewSet, basename="config")
router.register("imports", ImportRunViewSet, basename="import")

urlpatterns = router.urls
