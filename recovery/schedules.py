"""What the engine wants done over and over."""

from drportal.jobs import Schedule

SCHEDULES = (
    Schedule("Engine", task="recovery.tick", every=1, queue="engine", expires=5),
    Schedule("Notices", task="recovery.send_notices", every=3, queue="notices", expires=10),
)
