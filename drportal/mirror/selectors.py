from dataclasses import dataclass

from django.db.models import Count, Min, Q
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
    """How far DynamoDB is behind now. Two queries."""
    found = OutboxEntry.objects.aggregate(
        behind=Count("id"), since=Min("behind_since"), failing=Count("id", filter=Q(attempts__gt=0))
    )
    since = found["since"]
    lag = max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0
    failed = OutboxEntry.objects.filter(attempts__gt=0).order_by("behind_since", "id")
    last_error = failed.values_list("last_error", flat=True).first() or ""
    return Standing(found["behind"], lag, found["failing"], last_error)
