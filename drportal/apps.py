from importlib import import_module

from django.apps import AppConfig

from drportal.checks import register_checks


def _configure_celery() -> None:
    """Whoever asks for a task, web or command, must know the broker."""
    import_module("drportal.celery")


class PortalConfig(AppConfig):
    """The frame: commands and checks that belong to no app."""

    name = "drportal"
    label = "drportal"
    verbose_name = "DR portal"

    def ready(self) -> None:
        register_checks()
        _configure_celery()
