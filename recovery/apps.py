from django.apps import AppConfig


class RecoveryConfig(AppConfig):
    """Plans, and carrying them out."""

    name = "recovery"
    label = "recovery"
    verbose_name = "Recovery"
