from dataclasses import dataclass

from django.db.models import Min
from django.utils import timezone

from drportal.mirror.models import OutboxEntry


@dataclass(frozen=True, slots=True)
class Standing:
    """How far DynamoDB is behind.

    `behind` objects wait to be sent, the oldest change among them for `lag` seconds; `failing` of
    them could not be sent the last time, with `last_error`, that of the oldest.
    """

    behind: int
    lag: float
    failing: int
    last_error: str


def standing() -> Standing:
    """How far DynamoDB is behind now. Four queries."""
    objects = OutboxEntry.objects.values("kind", "object_id").distinct()
    failed = OutboxEntry.objects.filter(attempts__gt=0)
    since = OutboxEntry.objects.aggregate(since=Min("behind_since"))["since"]
    last_error = failed.order_by("behind_since", "id").values_list("last_error", flat=True).first()
    return Standing(
        behind=objects.count(),
        lag=max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0,
        failing=failed.values("kind", "object_id").distinct().count(),
        last_error=last_error or "",
    )
