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
        "Launch settings to apply",
        task="protection.apply_due_launch_settings",
        every=30,
        queue="sync",
        expires=25,
    ),
    Schedule(
        "Drift of launch settings",
        task="protection.check_all_launch_drift",
        every=86_400,
        queue="sync",
        expires=43_200,
    ),
    Schedule(
        "Staging accounts",
        task="protection.sync_staging",
        every=900,
        queue="sync",
        expires=840,
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
    Schedule(
        "Unattended validations of accounts",
        task="protection.validate_unattended",
        every=60,
        queue="sync",
        expires=50,
    ),
)
