from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The frame: commands and checks that belong to no app."""

    name = "drportal"
    label = "drportal"
    verbose_name = "DR portal"
