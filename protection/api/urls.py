from typing import Any

from django.urls import path
from rest_framework.routers import SimpleRouter

from protection.api.accounts import AccountViewSet
from protection.api.drs_syncs import InstanceSyncViewSet, TagSyncViewSet
from protection.api.groups import GroupViewSet
from protection.api.instances import InstanceViewSet
from protection.api.launch import GroupLaunchViewSet
from protection.api.launch_installation import InstallationLaunchViewSet
from protection.api.servers import ServerViewSet
from protection.api.sync_runs import SyncRunViewSet
from protection.api.tag_settings import TagSettingsViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("accounts", AccountViewSet, basename="account")
router.register("servers", ServerViewSet, basename="server")
router.register("protection-groups", GroupViewSet, basename="protection-group")
router.register("protection-groups", GroupLaunchViewSet, basename="group-launch")
router.register("config", InstallationLaunchViewSet, basename="config-launch")
router.register("sync-runs", SyncRunViewSet, basename="sync-run")
router.register("recovery-instances", InstanceViewSet, basename="recovery-instance")

_SYNC: Any = {"get": "retrieve", "post": "create"}
_SETTINGS: Any = {"get": "retrieve", "put": "update"}

urlpatterns = [
    *router.urls,
    path("drs/tag-sync", TagSyncViewSet.as_view(_SYNC, basename="tag-sync"), name="tag-sync"),
    path(
        "drs/recovery-instance-sync",
        InstanceSyncViewSet.as_view(_SYNC, basename="recovery-instance-sync"),
        name="recovery-instance-sync",
    ),
    path(
        "config/tag-sync",
        TagSettingsViewSet.as_view(_SETTINGS, basename="tag-sync-settings"),
        name="tag-sync-settings",
    ),
]
