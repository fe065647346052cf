"""Signs of life. One message carries those of beat and of a worker; the engine gives its own."""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

from drportal.models import Heartbeat

BEAT: Final = "beat"
WORKER: Final = "worker"
ENGINE: Final = "engine"
EVERY: Final = timedelta(seconds=5)

# A message that was held up must not make beat look older than a later one has shown it to be.
_HEARD = """
    INSERT INTO drportal_heartbeat (name, at) VALUES (%(name)s, %(at)s)
    ON CONFLICT (name) DO UPDATE SET at = GREATEST(drportal_heartbeat.at, EXCLUDED.at)
"""


def heard(*, sent_at: datetime | None) -> None:
    """A worker runs a heartbeat that beat sent at `sent_at`; None if the message does not say."""
    now = timezone.now()
    _note({WORKER: now} | ({BEAT: min(sent_at, now)} if sent_at else {}))


def engine_looked() -> None:
    """A worker of the engine's queue has looked for what is due."""
    _note({ENGINE: timezone.now()})


def _note(signs: dict[str, datetime]) -> None:
    with connection.cursor() as cursor:
        for name, at in signs.items():
            cursor.execute(_HEARD, {"name": name, "at": at})


def last_heard() -> dict[str, datetime]:
    """When each process last gave a sign of life, by name. One that never did is not in it."""
    return dict(Heartbeat.objects.values_list("name", "at"))
