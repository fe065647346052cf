"""Deleting an account: not while an execution works in it; afterwards its history stays."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from drportal.mirror.projections import all_projections
from protection.errors import AccountInUse
from protection.models import TargetAccount
from protection.services import accounts
from recovery.models import AccountClaim, LaunchJob, Wave
from recovery.services import executions, plans
from recovery.states import EXECUTION, JobState
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import LaunchJobFactory
from tests.worlds import (
    NORTH,
    PERSON,
    SOUTH,
    drill,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def begun(aws):
    """An execution in two accounts, whose plan and groups are gone: nothing else holds them."""
    world_of([server("web-1"), server("db-1", account=SOUTH)])
    registered()
    web, database = group_of("web"), group_of("db", account=SOUTH)
    plan = plan_of(wave("one", web), wave("two", database, depends_on=(1,), gate=True))
    execution = drill(plan)
    plans.edit(plan, name=plan.name, waves=[wave("one", web)], actor=PERSON)
    database.delete()  # behind the services, which would refuse it
    return execution


def delete(account_id: str) -> None:
    accounts.delete(TargetAccount.objects.get(account_id=account_id), actor=PERSON)


def test_an_account_that_a_live_execution_has_not_reached_yet_stays(begun, driver):
    driver.step(begun)
    assert not LaunchJob.objects.filter(aws_account_id=SOUTH).exists()
    with pytest.raises(AccountInUse) as refused:
        delete(SOUTH)
    assert refused.value.context["needed_by"] == ["drill of Plan"]
    assert TargetAccount.objects.filter(account_id=SOUTH).exists()


def test_history_does_not_hold_an_account_for_ever(begun, driver, client):
    execution = driver.run(begun, until=lambda found: found.state == "PAUSED")
    executions.resume(execution, actor=PERSON)
    execution = driver.run(execution)
    assert execution.state in EXECUTION.terminal
    assert not AccountClaim.objects.exists()
    delete(SOUTH)
    job = LaunchJob.objects.get(aws_account_id=SOUTH)
    assert (job.account, job.account_name, job.state) == (None, "south", JobState.ENDED)
    assert execution.servers.get(account_id=SOUTH).state == "LAUNCHED"


def test_a_job_that_drs_still_runs_holds_its_account_after_the_execution(begun, driver):
    execution = driver.run(
        begun, until=lambda _: LaunchJob.objects.filter(state=JobState.STARTED).exists()
    )
    Wave.objects.update(deadline_at="2020-01-01T00:00:00Z")
    executions.cancel(execution, actor=PERSON)
    execution.refresh_from_db()
    for _ in range(5):
        driver.step(execution, forward=timedelta(0))
    execution.refresh_from_db()
    assert execution.state in EXECUTION.terminal
    held = set(AccountClaim.objects.values_list("account__account_id", flat=True))
    assert held == {NORTH}
    delete(SOUTH)


def test_the_database_refuses_a_live_job_without_its_account(db):
    account = TargetAccountFactory.create()
    LaunchJobFactory.create(state=JobState.QUEUED, account=account)
    with (
        pytest.raises(IntegrityError, match="recovery_live_job_has_its_account"),
        transaction.atomic(),
    ):
        account.delete()
    assert TargetAccount.objects.filter(pk=account.pk).exists()


def test_pages_the_api_and_the_mirror_tell_of_a_job_whose_account_is_gone(admin_client):
    account = TargetAccountFactory.create(name="gone")
    job = LaunchJobFactory.create(state=JobState.ENDED, drs_job_id="drsjob-1", account=account)
    digits = account.account_id
    accounts.delete(account, actor=PERSON)
    execution = job.execution
    page = admin_client.get(f"/admin/recovery/execution/{execution.pk}/change/")
    assert f"gone ({digits})" in page.content.decode()
    said = admin_client.get(f"/api/v1/executions/{execution.pk}").json()
    assert said["waves"][0]["jobs"][0]["account_id"] == digits
    (projection,) = [each for each in all_projections() if each.kind == "WaveStatus"]
    (item,) = projection.build(Wave.objects.filter(pk=job.wave_id))
    assert (item["jobs"][0]["accountId"], item["jobs"][0]["accountName"]) == (digits, "gone")
