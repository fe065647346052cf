"""What is in the database, and whether a request changed it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps

from audit.models import AuditRecord, Outcome
from drportal.api.models import IdempotencyKey
from drportal.mirror.models import OutboxEntry
from recovery.models import Notice
from recovery.services.notices import REFUSED

_LABELS = ("protection", "recovery")


class World:
    """Every row that a request could change. Records of reads and refusals are not among them,
    nor are the notices of a refusal.
    """

    def rows(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            model._meta.label: sorted(model._default_manager.values_list(), key=str)
            for label in _LABELS
            for model in apps.get_app_config(label).get_models()
        }
        notices = Notice.objects.exclude(kind=REFUSED)
        found[Notice._meta.label] = sorted(notices.values_list(), key=str)
        found["outbox"] = sorted(
            OutboxEntry.objects.exclude(kind="AuditLogs").values_list(), key=str
        )
        found["keys"] = IdempotencyKey.objects.count()
        changes = AuditRecord.objects.filter(outcome=Outcome.SUCCEEDED)
        found["changes"] = changes.exclude(event__in=["api.read", "api.replayed"]).count()
        return found

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        before = self.rows()
        yield
        after = self.rows()
        for name, rows in before.items():
            assert after[name] == rows, f"{name} changed"
