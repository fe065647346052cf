"""The logs of launch jobs: what the watch read, what DRS says now, and what nobody has told."""

import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from drportal.aws.drs import Drs, LogItem
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.models import JobLog, LaunchJob
from recovery.services import job_logs
from tests.factories.recovery import LaunchJobFactory
from tests.worlds import (
    NORTH,
    SOUTH,
    Driver,
    drill,
    group_of,
    known,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ended(aws):
    """A drill in two accounts that has ended; in one, the conversion of a server failed."""
    world_of([server("db-1"), server("db-2"), server("db-3", account=SOUTH)])
    registered()
    world.faults.add(
        Fault(Kind.CONVERSION_FAIL, server=known("db-2").server_id, raw_error="No disk")
    )
    execution = drill(plan_of(wave("All", group_of("db"), group_of("db", account=SOUTH))))
    return Driver().run(execution)


def reads() -> int:
    return len(world.calls.matching(operation="DescribeJobLogItems"))


def by_account(client, execution, **parameters):
    answer = client.get(f"/api/v1/executions/{execution.pk}/job-logs", parameters)
    assert answer.status_code == 200, answer.content
    return {row["account_id"]: row for row in answer.json()["results"]}


def test_what_the_watch_read_is_told_without_asking_aws(root, ended):
    before = reads()
    told = by_account(root, ended)
    assert reads() == before
    row = told[NORTH]
    assert (row["source"], row["missing"], row["wave"]) == ("RECORDED", None, 1)
    assert row["as_of"]
    assert row["items"][0]["event"] == "JOB_START"
    assert row["items"][0]["server_id"] is None
    assert row["items"][-1]["event"] == "JOB_END"
    failed = [line for line in row["items"] if line["event"] == "CONVERSION_FAIL"]
    assert {line["server_id"] for line in failed} == {known("db-2").server_id}
    assert "No disk" in failed[-1]["error"]
    assert any(line["instance_id"] for line in row["items"])
    assert any(line["conversion_id"] for line in row["items"])
    only = by_account(root, ended, drs_job_id=told[SOUTH]["drs_job_id"])
    assert list(only) == [SOUTH]


def test_where_drs_does_not_answer_now_what_was_recorded_is_told_with_the_reason(root, ended):
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobLogItems", account=SOUTH))
    told = by_account(root, ended, fresh="true")
    recorded = by_account(root, ended)
    assert (told[NORTH]["source"], told[NORTH]["missing"]) == ("LIVE", None)
    assert told[NORTH]["items"] == recorded[NORTH]["items"]
    assert told[NORTH]["as_of"] > recorded[NORTH]["as_of"]
    assert told[SOUTH]["source"] == "RECORDED"
    assert SOUTH in told[SOUTH]["missing"]
    assert told[SOUTH]["items"] == recorded[SOUTH]["items"] != []


def test_a_failure_and_a_log_that_drs_forgot_are_no_empty_log(root, ended):
    JobLog.objects.all().delete()
    assert {row["items"] is None for row in by_account(root, ended).values()} == {True}
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobLogItems", account=SOUTH))
    LaunchJob.objects.filter(aws_account_id=NORTH).update(drs_job_id="drsjob-0123456789abcdef0")
    for row in by_account(root, ended, fresh="true").values():
        assert (row["items"], row["source"], row["as_of"]) == (None, None, None)
        assert row["account_id"] in row["missing"]


def test_a_job_that_drs_has_not_started_and_one_without_its_account(root, ended):
    waits = LaunchJobFactory.create(wave=ended.waves.get(), execution=ended)
    LaunchJob.objects.filter(aws_account_id=SOUTH).update(account=None)
    before = reads()
    told = by_account(root, ended, fresh="true")
    assert reads() == before + 1
    assert "not been heard to have started" in told[waits.aws_account_id]["missing"]
    assert told[waits.aws_account_id]["items"] is None
    assert "no longer registered" in told[SOUTH]["missing"]


def test_an_answer_that_takes_too_long_is_not_waited_for(root, ended, monkeypatch):
    answer = threading.Event()

    def slowly(*_):
        answer.wait()
        return []

    monkeypatch.setattr(Drs, "job_log", slowly)
    monkeypatch.setattr(job_logs, "WITHIN", 0.05)
    try:
        told = by_account(root, ended, fresh="true")
    finally:
        answer.set()
    assert {row["source"] for row in told.values()} == {"RECORDED"}
    assert all("did not answer within" in row["missing"] for row in told.values())


def test_a_log_is_written_only_when_it_is_new_and_never_shrinks_to_nothing(ended):
    job = LaunchJob.objects.all()[0]
    most = job_logs.MOST_LINES
    lines = [LogItem(at=None, event=f"E{n}", error="a\x00b\ud800") for n in range(most + 2)]
    with transaction.atomic():
        job_logs.keep([(job, lines)])
    log = JobLog.objects.get(job=job)
    assert (log.left_out, log.items[0]) == (2, {"event": "E2", "error": "ab?"})
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        job_logs.keep([(job, lines)])
        job_logs.keep([(job, [])])
    assert len(asked) == 2
    assert JobLog.objects.get(job=job).items == log.items


def test_fresh_is_true_or_false(root, ended):
    answer = root.get(f"/api/v1/executions/{ended.pk}/job-logs", {"fresh": "perhaps"})
    assert answer.status_code == 400
