"""The permissions of recovery plans. Executions are seen and steered through their plan's."""

from enum import StrEnum


class PlanPermission(StrEnum):
    """On recovery plans. To drill and to recover are two things, and so it is to clean up."""

    VIEW = "recovery.view_recoveryplan"
    ADD = "recovery.add_recoveryplan"
    CHANGE = "recovery.change_recoveryplan"
    DELETE = "recovery.delete_recoveryplan"
    SHARE = "recovery.share_recoveryplan"
    DRILL = "recovery.drill_recoveryplan"
    RECOVER = "recovery.recover_recoveryplan"
    STEER = "recovery.steer_recoveryplan"
    TERMINATE = "recovery.terminate_recoveryplan"
    TERMINATE_RECOVERY = "recovery.terminate_recovery_recoveryplan"
    FAIL_BACK = "recovery.failback_recoveryplan"
    OVERRIDE_PREFLIGHT = "recovery.override_preflight_recoveryplan"
    APPROVE = "recovery.approve_recoveryplan"


# Whoever may start a plan or steer it may have looked whether it could be started.
PREFLIGHT = frozenset({PlanPermission.DRILL, PlanPermission.RECOVER, PlanPermission.STEER})


class ExecutionPermission(StrEnum):
    """On executions, model-wide: for those whose plan is gone too."""

    VIEW = "recovery.view_execution"


class ConfigurationPermission(StrEnum):
    """On the portal's configuration as one document."""

    EXPORT = "recovery.export_configuration"
    IMPORT = "recovery.import_configuration"
    VIEW_IMPORTS = "recovery.view_importrun"


class NoticePermission(StrEnum):
    """On the delivery log, model-wide; of one plan, whoever may edit it sees it."""

    VIEW_DELIVERIES = "recovery.view_delivery"
