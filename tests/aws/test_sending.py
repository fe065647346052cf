"""How often AWS is asked when it does not answer well, counted where the calls arrive."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings

from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, client
from drportal.aws.staging import Extensions
from drportal.observability import correlated
from tests.aws.loopback import DROP, HANG, Loopback, Reply, error
from tests.worlds import EAST, HUB, SOUTH

SCOPE = Scope(Account(HUB), EAST)
SINCE = datetime(2026, 1, 15, tzinfo=UTC)
START = "/StartRecovery"
LIST = "/DescribeJobs"
POINTS = "/DescribeRecoverySnapshots"
ONE, TWO = "s-00000000000000001", "s-00000000000000002"
JOB = "drsjob-00000000000000001"
ARN = f"arn:aws:drs:{EAST}:{HUB}:source-server/{ONE}"
TAGS = f"/tags/{quote(ARN, safe='')}"

BAD_DAYS = [
    pytest.param(HANG, Failure.TIMED_OUT, True, id="no answer in time"),
    pytest.param(DROP, Failure.CONNECTION_LOST, True, id="dropped"),
    pytest.param(
        error(500, "InternalServerException"), Failure.SERVER_ERROR, True, id="server error"
    ),
    pytest.param(error(503, "SomethingNew"), Failure.SERVER_ERROR, True, id="unavailable"),
    pytest.param(error(429, "ThrottlingException"), Failure.THROTTLED, False, id="throttled"),
]


@pytest.mark.parametrize(("reply", "failure", "ambiguous"), BAD_DAYS)
def test_a_launch_is_sent_exactly_once(
    loopback: Loopback, reply: Reply, failure: Failure, ambiguous: bool
) -> None:
    loopback.says(START, reply)
    with pytest.raises(AwsError) as raised:
        Drs(SCOPE).start_recovery([ONE], drill=True)
    assert loopback.attempts[START] == 1
    assert raised.value.failure is failure
    assert raised.value.ambiguous is ambiguous
    assert raised.value.passing


@pytest.mark.parametrize(("reply", "failure", "ambiguous"), BAD_DAYS)
def test_a_question_is_repeated(
    loopback: Loopback, reply: Reply, failure: Failure, ambiguous: bool
) -> None:
    loopback.says(LIST, reply)
    with pytest.raises(AwsError) as raised:
        Drs(SCOPE).jobs_since(SINCE)
    assert loopback.attempts[LIST] == 3
    assert raised.value.failure is failure


@pytest.mark.parametrize(("reply", "failure", "ambiguous"), BAD_DAYS)
def test_a_question_that_is_answered_at_last_is_answered(
    loopback: Loopback, reply: Reply, failure: Failure, ambiguous: bool
) -> None:
    loopback.says(LIST, reply, reply, Reply(body={"items": [{"jobID": JOB}]}))
    assert [job.job_id for job in Drs(SCOPE).jobs_since(SINCE)] == [JOB]
    assert loopback.attempts[LIST] == 3


def test_a_refusal_is_not_repeated(loopback: Loopback) -> None:
    loopback.says(LIST, error(403, "AccessDeniedException"))
    with pytest.raises(AwsError) as raised:
        Drs(SCOPE).jobs_since(SINCE)
    assert loopback.attempts[LIST] == 1
    assert raised.value.failure is Failure.ACCESS_DENIED


def test_a_harmless_write_is_repeated(loopback: Loopback) -> None:
    loopback.says(TAGS, error(500, "InternalServerException"), Reply())
    client("drs", Use.WRITE, SCOPE).tag_resource(resourceArn=ARN, tags={"a": "b"})
    assert loopback.attempts[TAGS] == 2


def test_nobody_at_home_is_unreachable(loopback: Loopback) -> None:
    loopback.says(START, Reply())
    drs = Drs(SCOPE)
    client("drs", Use.WRITE_ONCE, SCOPE)
    loopback.stop()
    with pytest.raises(AwsError) as raised:
        drs.start_recovery([ONE], drill=True)
    assert raised.value.failure is Failure.UNREACHABLE
    assert not raised.value.ambiguous


def test_aws_names_the_time_to_wait(loopback: Loopback) -> None:
    loopback.says(START, error(429, "ThrottlingException", **{"Retry-After": "7"}))
    with pytest.raises(AwsError) as raised:
        Drs(SCOPE).start_recovery([ONE], drill=True)
    assert raised.value.retry_after == 7


def test_aws_names_what_it_complains_about(loopback: Loopback) -> None:
    body = {"message": "busy", "resourceId": TWO, "resourceType": "SourceServer"}
    loopback.says(START, Reply(409, body, {"x-amzn-ErrorType": "ConflictException"}))
    with pytest.raises(AwsError) as raised:
        Drs(SCOPE).start_recovery([ONE, TWO], drill=True)
    assert (raised.value.failure, raised.value.resource_id) == (Failure.CONFLICT, TWO)
    assert not raised.value.ambiguous


@pytest.mark.parametrize(
    "body", [{}, {"job": {}}, "<html>a proxy's welcome page</html>", {"job": {"type": "LAUNCH"}}]
)
def test_a_launch_with_an_unreadable_answer_may_have_happened(
    loopback: Loopback, body: Any
) -> None:
    loopback.says(START, Reply(202, body))
    with pytest.raises(AwsError) as raised:
        Drs(SCOPE).start_recovery([ONE], drill=True)
    assert loopback.attempts[START] == 1
    assert raised.value.ambiguous


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("/DescribeSourceServers", {"arn": "an arn and no id"}),
        ("/DescribeSourceServers", {"sourceServerID": ONE, "tags": ["no map"]}),
        (LIST, {"type": "LAUNCH"}),
        (LIST, {"jobID": JOB, "creationDateTime": "yesterday"}),
        ("/DescribeJobLogItems", {"logDateTime": "soon"}),
        ("/DescribeRecoveryInstances", {"pointInTimeSnapshotDateTime": "once"}),
        (POINTS, {"snapshotID": "pit-1", "timestamp": "lately"}),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_failure_and_not_an_empty_list(
    loopback: Loopback, path: str, item: dict[str, Any]
) -> None:
    loopback.says(path, Reply(body={"items": [item]}))
    for ask in _listings(path):
        with pytest.raises(AwsError, match="cannot be read") as raised:
            ask()
        assert raised.value.failure is Failure.OTHER
        assert raised.value.context["operation"] == path[1:]


def _listings(path: str) -> list[Callable[[], object]]:
    drs, extensions = Drs(SCOPE), Extensions(SCOPE)
    listings: dict[str, list[Callable[[], object]]] = {
        "/DescribeSourceServers": [lambda: list(drs.source_servers())],
        LIST: [lambda: drs.jobs_since(SINCE)],
        "/DescribeJobLogItems": [lambda: drs.job_log(JOB)],
        "/DescribeRecoveryInstances": [
            lambda: drs.recovery_instances([ONE]),
            drs.all_recovery_instances,
        ],
        POINTS: [lambda: drs.recovery_point(ONE)],
        "/ListExtensibleSourceServers": [lambda: extensions.extensible(SOUTH)],
        "/ListStagingAccounts": [extensions.staging_accounts],
    }
    return listings[path]


@pytest.mark.parametrize(
    "path",
    [
        "/DescribeSourceServers",
        LIST,
        "/DescribeJobLogItems",
        "/DescribeRecoveryInstances",
        POINTS,
        "/ListExtensibleSourceServers",
        "/ListStagingAccounts",
    ],
)
@pytest.mark.parametrize("body", [{}, {"message": "welcome"}, {"nextToken": ""}])
def test_an_answer_without_its_list_is_a_failure_and_not_an_empty_list(
    loopback: Loopback, path: str, body: dict[str, str]
) -> None:
    loopback.says(path, Reply(body=body))
    for ask in _listings(path):
        with pytest.raises(AwsError, match="cannot be read"):
            ask()


def test_every_page_is_read(loopback: Loopback) -> None:
    loopback.says(
        "/DescribeSourceServers",
        Reply(body={"items": [{"sourceServerID": ONE}], "nextToken": "more"}),
        Reply(body={"items": [], "nextToken": "and more"}),
        Reply(body={"items": [{"sourceServerID": TWO}]}),
    )
    assert [found.server_id for found in Drs(SCOPE).source_servers()] == [ONE, TWO]


def test_a_page_that_fails_spoils_the_listing(loopback: Loopback) -> None:
    first = Reply(body={"items": [{"sourceServerID": ONE}], "nextToken": "more"})
    loopback.says("/DescribeSourceServers", first, error(403, "AccessDeniedException"))
    listing = Drs(SCOPE).source_servers()
    assert next(listing).server_id == ONE
    with pytest.raises(AwsError):
        next(listing)


@pytest.mark.parametrize("use", [Use.READ, Use.WRITE, Use.WRITE_ONCE])
def test_every_client_says_who_asks(loopback: Loopback, use: Use) -> None:
    loopback.says(LIST, Reply(body={"items": []}))
    drs = client("drs", use, SCOPE)
    with correlated("from-the-button"):
        drs.describe_jobs()
    drs.describe_jobs()
    named, nameless = loopback.agents[-2:]
    assert named.endswith(" drportal/from-the-button")
    assert nameless.endswith(" drportal")
    assert "Boto3/" in named


def test_the_time_out_is_the_settings(loopback: Loopback) -> None:
    made = client("drs", Use.READ, SCOPE)
    assert made.meta.config.read_timeout == settings.AWS_READ_TIMEOUT_SECONDS
    assert made.meta.config.connect_timeout == 5


def test_a_launch_that_is_too_late_is_not_sent(loopback: Loopback) -> None:
    loopback.says(START, Reply(202, {"job": {"jobID": JOB}}))
    drs = Drs(SCOPE)
    with pytest.raises(AwsError) as raised:
        drs.start_recovery([ONE], drill=True, before=time.monotonic() - 0.001)
    assert raised.value.failure is Failure.UNREACHABLE
    assert not raised.value.ambiguous
    assert loopback.attempts[START] == 0
    started = drs.start_recovery([ONE], drill=True, before=time.monotonic() + 60)
    assert started.job_id == JOB
    assert loopback.attempts[START] == 1


@pytest.mark.parametrize(
    ("items", "latest"),
    [
        ([], None),
        ([{"snapshotID": "pit-1", "expectedTimestamp": "2026-11-25T03:00:00Z"}], None),
        (
            [
                # DRS expects this one, and has not taken it yet.
                {"snapshotID": "pit-3", "expectedTimestamp": "2026-11-25T03:10:00Z"},
                {"snapshotID": "pit-2", "timestamp": "2026-11-25T03:00:05Z"},
                {"snapshotID": "pit-1", "timestamp": "2026-11-25T02:50:05Z"},
            ],
            datetime(2026, 11, 25, 3, 0, 5, tzinfo=UTC),
        ),
    ],
)
def test_the_latest_recovery_point_is_one_that_was_taken(
    loopback: Loopback, items: list[dict[str, str]], latest: datetime | None
) -> None:
    loopback.says(POINTS, Reply(body={"items": items}))
    found = Drs(SCOPE).recovery_point(ONE)
    assert (found.at if found else None) == latest
