"""What the engine wants done over and over."""

from drportal.jobs import Schedule

SCHEDULES = (
    Schedule("Engine", task="recovery.tick", every=1, queue="engine", expires=5),
    Schedule("Checks after launch", task="recovery.run_checks", every=2, queue="checks", expires=5),
    Schedule("Notices", task="recovery.send_notices", every=3, queue="notices", expires=10),
    Schedule(
        "Preflights of plans",
        task="recovery.ask_for_preflights",
        every=60,
        queue="sync",
        expires=50,
    ),
    Schedule(
        "Old preflights",
        task="recovery.forget_preflights",
        every=86_400,
        queue="sync",
        expires=43_200,
    ),
    Schedule(
        "Drills by schedule", task="recovery.start_due_drills", every=20, queue="engine", expires=15
    ),
    Schedule(
        "Clean-ups of drills", task="recovery.clean_up_drills", every=60, queue="engine", expires=50
    ),
    Schedule(
        "Overdue drills",
        task="recovery.tell_of_overdue_drills",
        every=3600,
        queue="engine",
        expires=1800,
    ),
    Schedule(
        "Old executions",
        task="recovery.forget_executions",
        every=3600,
        queue="sync",
        expires=1800,
    ),
)
