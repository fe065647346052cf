from rest_framework.routers import SimpleRouter

from protection.api.accounts import AccountViewSet
from protection.api.groups import GroupViewSet
from protection.api.servers import ServerViewSet
from protection.api.sync_runs import SyncRunViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("accounts", AccountViewSet, basename="account")
router.register("servers", ServerViewSet, basename="server")
router.register("protection-groups", GroupViewSet, basename="protection-group")
router.register("sync-runs", SyncRunViewSet, basename="sync-run")

urlpatterns = router.urls
