import pytest
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_the_suite_runs_on_postgresql():
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone()
    assert version.startswith("16.")


def test_the_suite_runs_on_redis():
    cache.set("the-suite", "runs", 60)
    assert cache.get("the-suite") == "runs"
