"""A portal that is lost: its database is emptied, as a new one is after its migrations."""

from typing import Any

from django.apps import apps
from django.db import connection

from drportal.mirror.projections import all_projections
from recovery import configuration

APPS = ("audit", "mirror", "protection", "recovery", "django_celery_beat")


def lose_everything() -> None:
    """Empty every table of the portal's apps, and let all numbers begin again."""
    models = [model for label in APPS for model in apps.get_app_config(label).get_models()]
    tables = ", ".join(f'"{model._meta.db_table}"' for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        cursor.execute("ALTER SEQUENCE mirror_sequence RESTART")


def everything_told() -> dict[str, dict[str, Any]]:
    """The export of the configuration, and the items of every object, by kind and id, without what
    no item of a new send would keep.
    """
    return {"export": configuration.document()} | {
        projection.kind: {
            object_id: {k: v for k, v in item.items() if k not in projection.passing}
            for ids in projection.object_ids()
            for object_id, item in projection.items(ids).items()
        }
        for projection in all_projections()
    }
