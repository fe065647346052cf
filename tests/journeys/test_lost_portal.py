"""The portal's database and Redis are lost in the middle of executions. A new portal restores what
the mirror holds, a worker is started, and every execution is carried to its end, once.
"""

import subprocess
import sys

import pytest
import redis
from django.conf import settings

from drportal.mirror.models import OutboxEntry
from protection.models import TargetAccount
from protection.services import accounts
from recovery.models import Execution, ExecutionEvent, LaunchJob
from recovery.states import EXECUTION, JobState, WaveState
from tests.journeys.processes import ROOT, Beat, Worker, environment, wait_for
from tests.journeys.test_kill_points import (
    nothing_lost_or_doubled,
    places,
    run_to_end,
    start,
)
from tests.mirror.emptying import lose_everything
from tests.mirror.store import Store
from tests.worlds import EXTERNAL_ID, PERSON

__all__ = ["places"]

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def manage(*arguments: str) -> str:
    """What an operator runs on the new machine."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def mirrored() -> bool:
    """Whether some job runs, some wave waits at its gate, and DynamoDB has been told of all."""
    started = LaunchJob.objects.filter(state=JobState.STARTED).exists()
    waits = Execution.objects.filter(waves__state=WaveState.WAITING).exists()
    return started and waits and not OutboxEntry.objects.exists()


def test_executions_go_on_where_they_stood_after_everything_was_lost(places, tmp_path):
    Store().close()
    beat = Beat(**{"mirror.drain": "mirror"})
    first = Worker(tmp_path / "first.log", queues="engine,mirror")
    try:
        begun = start(places, 0)
        wait_for(lambda: begun.waves.filter(state=WaveState.WAITING).exists(), within=60)
        start(places, 1)
        wait_for(mirrored, within=60, what=lambda: "a job under way that the mirror knows of")
    finally:
        first.kill()
        beat.stop()
    asked = set(LaunchJob.objects.exclude(drs_job_id="").values_list("drs_job_id", flat=True))

    lose_everything()
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    assert not Execution.objects.exists()
    assert "0 behind, 0 differences" in manage("mirror", "restore", "--take-over")
    running = list(Execution.objects.filter(state__in=sorted(EXECUTION.active)))
    assert len(running) == 2  # those that were started
    told = ExecutionEvent.objects.values_list("message", flat=True)
    assert set(told) == {"Restored from the mirror."}
    for account in TargetAccount.objects.filter(is_hub=False):
        accounts.edit(account, external_id=EXTERNAL_ID, actor=PERSON)

    beat = Beat()
    second = Worker(tmp_path / "second.log")
    try:
        run_to_end(running, within=90)
    finally:
        second.kill()
        beat.stop()
    nothing_lost_or_doubled(running)
    assert asked <= set(LaunchJob.objects.values_list("drs_job_id", flat=True))
