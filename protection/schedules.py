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
        "Recovery instances",
        task="protection.sync_recovery_instances",
        every=600,
        queue="sync",
        expires=500,
    ),
    Schedule(
        "Tags from EC2 to DRS",
        task="protection.sync_tags",
        every=3600,
        queue="sync",
        expires=3000,
    ),
)
