from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from protection.choices import RegionStatus
from protection.models import AccountRegion
from tests.factories.protection import RecoveryInstanceFactory, SourceServerFactory
from tests.factories.users import grant

pytestmark = pytest.mark.django_db

LIST = "/admin/protection/recoveryinstance/"


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_the_list_says_what_where_from_and_how_old(root):
    server = SourceServerFactory.create(name="db-1")
    RecoveryInstanceFactory.create(
        account=server.account, server_id=server.server_id, job_id="drsjob-7"
    )
    said = text(root.get(LIST))
    for expected in ("RUNNING", "Drill", "db-1", "drsjob-7", str(server.account), "us-east-1"):
        assert expected in said
    assert "dr-badge dr-good" in said


def test_a_page_of_one(root):
    made = RecoveryInstanceFactory.create(is_drill=False, public_ip="")
    said = text(root.get(f"{LIST}{made.pk}/change/"))
    assert "Recovery" in said
    assert made.job_id in said
    assert "unknown or none" in said


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"instances_listed_at": timedelta(hours=2)}, "Active when last listed"),
        ({"instance_status": RegionStatus.THROTTLED}, "Throttled"),
        ({"instances_listed_at": None, "instance_count": None}, "Never listed"),
    ],
    ids=str,
)
def test_what_is_old_or_not_answered_is_not_green(root, told, shown):
    made = RecoveryInstanceFactory.create(ec2_state="STOPPED")
    if told.get("instances_listed_at"):
        told = {"instances_listed_at": timezone.now() - told["instances_listed_at"]}
    AccountRegion.objects.filter(account=made.account).update(**told)
    for path in (LIST, f"{LIST}{made.pk}/change/"):
        said = text(root.get(path))
        assert shown in said
        assert "dr-badge dr-good" not in said


def test_unknown_is_neither_drill_nor_recovery_nor_running(root):
    RecoveryInstanceFactory.create(is_drill=None, ec2_state="")
    assert text(root.get(LIST)).count("dr-unsure") >= 2


def test_one_sees_those_of_the_accounts_that_one_sees(person, browser):
    mine, other = RecoveryInstanceFactory.create_batch(2)
    assert browser.get(LIST).status_code == 403
    grant(person, "protection.view_targetaccount", on=mine.account)
    said = text(browser.get(LIST))
    assert mine.instance_id in said
    assert other.instance_id not in said
    assert browser.get(f"{LIST}{other.pk}/change/").status_code == 404


def test_a_list_costs_the_same_however_long(root):
    RecoveryInstanceFactory.create()
    root.get(LIST)
    with CaptureQueriesContext(connection) as one:
        root.get(LIST)
    RecoveryInstanceFactory.create_batch(20)
    with CaptureQueriesContext(connection) as many:
        root.get(LIST)
    assert len(many) <= len(one)
