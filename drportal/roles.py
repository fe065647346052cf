"""The roles, and what each may do everywhere: one table, from which `sync_roles` makes groups.

What somebody may do to a single account, group or plan is shared on its own page.
"""

_VIEW = frozenset(
    {
        "protection.view_targetaccount",
        "protection.view_accountregion",
        "protection.view_sourceserver",
        "protection.view_syncrun",
        "protection.view_protectiongroup",
        "recovery.view_recoveryplan",
        "protection.view_recoveryinstance",
        "protection.view_stagingaccount",
        "protection.view_launchsettings",
        "protection.view_tagsyncsettings",
        "recovery.view_execution",
    }
)
_CONFIGURE = frozenset(
    {
        "protection.change_launchsettings",
        "protection.change_tagsyncsettings",
        "recovery.export_configuration",
        "recovery.import_configuration",
        "recovery.view_importrun",
        "recovery.view_delivery",
    }
)
_STEER = frozenset(
    {
        "recovery.drill_recoveryplan",
        "recovery.recover_recoveryplan",
        "recovery.steer_recoveryplan",
        "recovery.terminate_recoveryplan",
        "protection.run_syncrun",
    }
)
# What people work with after a disaster: to destroy it is more than to steer.
_DESTROY = frozenset({"recovery.terminate_recovery_recoveryplan", "recovery.failback_recoveryplan"})
# To start although a check failed or could not be made: by those who answer for a recovery.
_OVERRIDE = frozenset({"recovery.override_preflight_recoveryplan"})
# The second person: those who answer for a recovery, not everybody who may start one.
_APPROVE = frozenset({"recovery.approve_recoveryplan"})
_MODIFY = frozenset({"protection.change_protectiongroup", "recovery.change_recoveryplan"})
_BUILD = _MODIFY | {
    "protection.add_protectiongroup",
    "protection.delete_protectiongroup",
    "recovery.add_recoveryplan",
    "recovery.delete_recoveryplan",
}
_REGISTER = frozenset({"protection.add_targetaccount", "protection.change_targetaccount"})
_SHARE = frozenset(
    {
        "protection.share_targetaccount",
        "protection.share_protectiongroup",
        "recovery.share_recoveryplan",
    }
)
_ADMINISTER = frozenset(
    {
        "protection.delete_targetaccount",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.view_group",
        "django_celery_beat.view_periodictask",
        "django_celery_beat.change_periodictask",
        "mirror.view_outboxentry",
    }
)

_ANSWER = _DESTROY | _OVERRIDE | _APPROVE
_MANAGE = _VIEW | _STEER | _ANSWER | _BUILD | _REGISTER | _CONFIGURE | _SHARE

ROLES: dict[str, frozenset[str]] = {
    "DRSOrchestrationAdmin": _MANAGE | _ADMINISTER,
    "DRSRecoveryManager": _MANAGE,
    "DRSPlanManager": _VIEW | _STEER | _BUILD,
    "DRSOperator": _VIEW | _STEER | _MODIFY,
    "DRSReadOnly": _VIEW,
    "DRSAuditor": _VIEW | {"audit.view_auditrecord", "recovery.view_delivery"},
}
