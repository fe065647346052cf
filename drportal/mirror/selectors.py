from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils import timezone

from drportal.mirror.models import Installation, OutboxEntry
from drportal.mirror.projections import all_projections

# A change that has waited for longer than this is late.
LATE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far DynamoDB is behind.

    `behind` objects wait to be sent, the oldest change among them for `lag` seconds; `failing` of
    them could not be sent the last time, with `last_error`, that of the oldest. `holder` is the
    other portal that holds the tables, if one does: then nothing is sent.
    """

    behind: int
    lag: float
    failing: int
    last_error: str
    identity: str = ""
    held_at: datetime | None = None
    holder: str = ""
    holder_heard_at: str = ""
    verified_at: datetime | None = None
    differences: int | None = None


def standing() -> Standing:
    """How far DynamoDB is behind now. Five queries."""
    objects = OutboxEntry.objects.values("kind", "object_id").distinct()
    failed = OutboxEntry.objects.filter(attempts__gt=0)
    since = OutboxEntry.objects.aggregate(since=Min("behind_since"))["since"]
    last_error = failed.order_by("behind_since", "id").values_list("last_error", flat=True).first()
    ours = Installation.objects.first()
    return Standing(
        behind=objects.count(),
        lag=max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0,
        failing=failed.values("kind", "object_id").distinct().count(),
        last_error=last_error or "",
        identity=str(ours.identity) if ours else "",
        held_at=ours.held_at if ours else None,
        holder=ours.holder if ours and ours.refused_at else "",
        holder_heard_at=ours.holder_heard_at if ours and ours.refused_at else "",
        verified_at=ours.verified_at if ours else None,
        differences=ours.differences if ours else None,
    )


def not_given_back() -> list[str]:
    """What a restore could not give back and nobody has entered since, in sentences."""
    asked = (projection.lacking() for projection in all_projections() if projection.lacking)
    return [said for said in asked if said]
