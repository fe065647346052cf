from django.apps import AppConfig


class AdminkitConfig(AppConfig):
    """The admin site and what its pages share."""

    name = "drportal.adminkit"
    label = "adminkit"
    verbose_name = "Admin kit"
