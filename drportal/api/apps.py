from django.apps import AppConfig


class ApiConfig(AppConfig):
    """What every API view shares, and the record of idempotency keys."""

    name = "drportal.api"
    label = "api"
    verbose_name = "API"
