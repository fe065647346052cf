from django.apps import AppConfig


class QueriesConfig(AppConfig):
    """Every question across apps; writes nothing."""

    name = "queries"
    label = "queries"
    verbose_name = "Queries"
