from django.apps import AppConfig


class ProtectionConfig(AppConfig):
    """What is protected, and how it would launch."""

    name = "protection"
    label = "protection"
    verbose_name = "Protection"
