from typing import Any

from django.urls import path, register_converter
from rest_framework.routers import SimpleRouter

from protection.api.account_lookup import AccountKey
from protection.api.accounts import AccountViewSet, CurrentAccountViewSet
from protection.api.drs_syncs import InstanceSyncViewSet, TagSyncViewSet
from protection.api.groups import GroupViewSet
from protection.api.instances import InstanceViewSet
from protection.api.launch import GroupLaunchViewSet
from protection.api.launch_installation import InstallationLaunchViewSet
from protection.api.servers import ServerViewSet
from protection.api.staging import StagingAccountViewSet, StagingEntryViewSet
from protection.api.sync_runs import SyncRunViewSet
from protection.api.tag_settings import TagSettingsViewSet
from protection.api.validations import ValidationViewSet

register_converter(AccountKey, "account")

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("accounts/targets", AccountViewSet, basename="account")
router.register(
    "accounts/targets/<account:account>/staging-accounts",
    StagingAccountViewSet,
    basename="staging-account",
)
router.register("staging-accounts", StagingEntryViewSet, basename="staging-entry")
router.register("servers", ServerViewSet, basename="server")
router.register("protection-groups", GroupViewSet, basename="protection-group")
router.register("protection-groups", GroupLaunchViewSet, basename="group-launch")
router.register("config", InstallationLaunchViewSet, basename="config-launch")
router.register("sync-runs", SyncRunViewSet, basename="sync-run")
router.register("recovery-instances", InstanceViewSet, basename="recovery-instance")

_SYNC: Any = {"get": "retrieve", "post": "create"}
_SETTINGS: Any = {"get": "retrieve", "put": "update"}

_VALIDATIONS = "accounts/targets/<account:account>/validations"

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
    path(
        "drs/accounts",
        AccountViewSet.as_view({"get": "list"}, basename="account"),
        name="account-drs",
    ),
    path(
        "accounts/current",
        CurrentAccountViewSet.as_view({"get": "retrieve"}, basename="current-account"),
        name="current-account",
    ),
    path(
        "accounts/targets/<account:account>/validate",
        ValidationViewSet.as_view({"post": "create"}, basename="validation"),
        name="validation-validate",
    ),
    path(
        _VALIDATIONS,
        ValidationViewSet.as_view({"get": "list"}, basename="validation"),
        name="validation-list",
    ),
    path(
        f"{_VALIDATIONS}/<uuid:pk>",
        ValidationViewSet.as_view({"get": "retrieve"}, basename="validation"),
        name="validation-detail",
    ),
]
