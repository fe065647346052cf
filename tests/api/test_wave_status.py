"""The status of a wave through the API."""

import pytest
from django.utils import timezone

from recovery.models import JobWatch
from recovery.states import JobState, WaveState
from tests.factories.recovery import LaunchJobFactory, WaveFactory, WaveServerFactory

pytestmark = pytest.mark.django_db
JOB = "drsjob-0123456789abcdef0"


@pytest.fixture
def job():
    wave = WaveFactory.create(state=WaveState.LAUNCHING, started_at=timezone.now())
    made = LaunchJobFactory.create(wave=wave, state=JobState.STARTED, drs_job_id=JOB)
    WaveServerFactory.create(wave=wave, state="FAILED", launch_job=made, message="Full")
    assert made.account is not None
    JobWatch.objects.create(account=made.account, region=made.region)
    return made


def test_it_tells_what_is_known_and_how_old_that_is(root, job, world):
    path = f"/api/v1/executions/{job.execution.pk}/waves/1"
    with world.unchanged():
        told = root.get(f"{path}/status").json()
    assert (told["state"], told["by_servers"]) == ("LAUNCHING", "FAILED")
    assert told["counts"]["failed"] == 1
    assert told["servers"][0]["message"] == "Full"
    (place,) = told["places"]
    assert (place["drs_job_ids"], place["answered_at"], place["asks_again_at"]) == (
        [JOB],
        None,
        None,
    )


@pytest.mark.parametrize(("asked", "due"), [("poll", True), ("completion", False)])
def test_it_is_looked_at_on_demand(root, job, asked, due):
    path = f"/api/v1/executions/{job.execution.pk}/waves/1"
    answer = root.post(f"{path}/{asked}")
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(f"{path}/status")
    assert (JobWatch.objects.get().due_at is not None) == due
    assert answer.json()["by_servers"] == "FAILED"


def test_no_such_wave_is_not_found(root, job, world):
    path = f"/api/v1/executions/{job.execution.pk}/waves"
    with world.unchanged():
        for method, part in (("get", "status"), ("post", "poll"), ("post", "completion")):
            for position in (2, 99_999_999_999):
                answer = getattr(root, method)(f"{path}/{position}/{part}")
                assert (answer.status_code, answer.json()["code"]) == (
                    404,
                    "recovery.no_such_wave",
                )
