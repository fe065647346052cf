from django.apps import AppConfig


class AuditConfig(AppConfig):
    """What was done, by whom."""

    name = "audit"
    label = "audit"
    verbose_name = "Audit"
