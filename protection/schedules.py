"""What protection wants done over and over."""

from drportal.jobs import Schedule

SCHEDULES = (
    Schedule(
        "Source-server inventory",
        task="protection.sync_inventory",
        every=300,
        queue="sync",
        expires=240,
    ),
    Schedule(
        "Staging accounts",
        task="protection.sync_staging",
        every=900,
        queue="sync",
        expires=840,
    ),
)
