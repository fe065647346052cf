"""The page of a launch job's log."""

import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from drportal.aws.drs import Drs, LogItem
from recovery.models import LaunchJob
from recovery.services.job_logs import keep
from recovery.states import JobState
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
)
from tests.factories.users import grant

pytestmark = pytest.mark.django_db
JOB = "drsjob-0123456789abcdef0"


@pytest.fixture
def job(monkeypatch):
    def refuse(*_):
        raise AssertionError("a page asked AWS")

    monkeypatch.setattr(Drs, "job_log", refuse)
    started = {"state": JobState.STARTED, "drs_job_id": JOB, "log_read_at": timezone.now()}
    made = LaunchJobFactory.create(**started)
    server = WaveServerFactory.create(wave=made.wave, name="db-1", account_id=made.aws_account_id)
    with transaction.atomic():
        lines = [
            LogItem(at=timezone.now(), event="JOB_START"),
            LogItem(
                at=timezone.now(),
                event="CONVERSION_FAIL",
                server_id=server.server_id,
                error="<b>No disk</b>",
                attempt=2,
                attempts=3,
            ),
        ]
        keep([(made, lines)])
    return made


def link(job: LaunchJob) -> str:
    return reverse("admin:recovery_execution_job_log", args=[job.execution.pk, job.pk])


def test_the_execution_leads_to_the_log_as_it_was_read(root, job):
    page = root.get(reverse("admin:recovery_execution_change", args=[job.execution.pk]))
    assert link(job) in page.content.decode()
    shown = root.get(link(job)).content.decode()
    for said in (JOB, "JOB_START", "CONVERSION_FAIL", "db-1", "attempt 2 of 3", "No disk"):
        assert said in shown
    assert "<b>No disk" not in shown


def test_a_log_that_was_never_read_is_unknown_and_one_that_is_empty_is_not(root, job):
    job.log.delete()
    shown = root.get(link(job)).content.decode()
    assert "has not read this log" in shown
    assert "nothing yet" not in shown
    with transaction.atomic():
        keep([(job, [])])
    assert "DRS had written nothing yet" in root.get(link(job)).content.decode()


def test_the_number_of_lines_costs_no_queries(root, job, django_assert_num_queries):
    lines = [LogItem(at=None, event="X", server_id=f"s-{n:017x}") for n in range(200)]
    root.get(link(job))
    with CaptureQueriesContext(connection) as few:
        root.get(link(job))
    with transaction.atomic():
        keep([(job, lines)])
    with django_assert_num_queries(len(few)):
        root.get(link(job))


def test_only_through_the_execution_that_one_may_see(person, browser, job):
    assert browser.get(link(job)).status_code in {403, 404}
    other = WaveFactory.create(execution=ExecutionFactory.create()).execution
    grant(person, "recovery.view_recoveryplan", on=job.execution.plan)
    grant(person, "recovery.view_recoveryplan", on=other.plan)
    assert browser.get(link(job)).status_code == 200
    for execution, pk in ((other.pk, job.pk), (job.execution.pk, uuid.uuid4())):
        wrong = reverse("admin:recovery_execution_job_log", args=[execution, pk])
        assert browser.get(wrong).status_code == 404
