from django.apps import AppConfig

from drportal.checks import register_checks


class PortalConfig(AppConfig):
    """The frame: commands and checks that belong to no app."""

    name = "drportal"
    label = "drportal"
    verbose_name = "DR portal"

    def ready(self) -> None:
        register_checks()
