"""What the API wants done over and over."""

from drportal.jobs import Schedule

SCHEDULES = (
    Schedule(
        "Forget old idempotency keys",
        task="api.purge_idempotency_keys",
        every=24 * 3600,
        queue="default",
        expires=3600,
    ),
)
