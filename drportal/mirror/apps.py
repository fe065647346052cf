from django.apps import AppConfig


class MirrorConfig(AppConfig):
    """The outbox that keeps DynamoDB in step with the database."""

    name = "drportal.mirror"
    label = "mirror"
    verbose_name = "Mirror"
