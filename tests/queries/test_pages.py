"""The capacity page: who sees it, what it says, and that it is read only."""

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditRecord
from drportal.adminkit.widgets import Tone, gauge
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import CapacityState
from protection.models import TargetAccount
from queries.pages import state_badge
from tests.factories.users import SuperuserFactory, UserFactory, grant
from tests.worlds import EAST, NORTH, SOUTH, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)
LINK = "/admin/capacity/"


@pytest.fixture
def made(aws, db) -> dict[str, TargetAccount]:
    world_of([server("web-1"), server("db-1", account=SOUTH)])
    return registered()


def browser_of(user: object) -> Client:
    client = Client()
    client.force_login(user)  # type: ignore[arg-type]  # a factory's
    return client


def page(user: object, **parameters: str) -> str:
    answer = browser_of(user).get(LINK, parameters)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_how_full_what_the_limits_are_and_how_old(made):
    shown = page(SuperuserFactory.create())
    assert reverse("admin-capacity") == LINK
    assert "1 of 300" in shown
    assert "0 of 20" in shown
    assert "limit: Service Quotas" in shown
    assert "documented default" not in shown
    assert "could not be counted" not in shown
    assert "data-age" in shown


def test_documented_limits_and_unknown_jobs_are_said(made):
    world.faults.add(Fault(Kind.ACCESS_DENIED, service="servicequotas", account=NORTH))
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobs", account=NORTH))
    shown = page(SuperuserFactory.create(), account=NORTH)
    assert "limit: documented default" in shown
    assert "unknown of 20" in shown
    assert "0 of 20" not in shown
    assert "could not be counted" in shown
    assert "dr-hatched" in shown


def test_a_region_that_does_not_answer_is_named(made):
    made[NORTH].regions.filter(region=EAST).update(status="THROTTLED", message="Rate exceeded")
    shown = page(SuperuserFactory.create())
    assert "Throttled" in shown
    assert "at least 1 of 300" in shown


def test_one_sees_ones_own_accounts(made):
    person = grant(
        UserFactory.create(is_staff=True), "protection.view_targetaccount", on=made[NORTH]
    )
    shown = page(person)
    assert NORTH in shown
    assert SOUTH not in shown
    assert browser_of(person).get(LINK, {"account": SOUTH}).status_code == 404
    assert AuditRecord.objects.latest("id").outcome == "REFUSED"
    assert "Capacity" in browser_of(person).get("/admin/").content.decode()


def test_who_may_see_no_account_gets_nowhere_and_that_is_recorded(made):
    person = UserFactory.create(is_staff=True)
    assert browser_of(person).get(LINK).status_code == 403
    told = AuditRecord.objects.latest("id")
    assert (told.event, told.outcome) == ("admin.queries_capacity", "REFUSED")
    assert LINK not in browser_of(person).get("/admin/").content.decode()


def test_nobody_enters_without_logging_in(made):
    assert Client().get(LINK).status_code == 302
    assert browser_of(UserFactory.create()).get(LINK).status_code == 302


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_but_get(made, method):
    assert getattr(browser_of(SuperuserFactory.create()), method)(LINK).status_code == 405


def test_reading_it_is_recorded(made):
    before = AuditRecord.objects.filter(event="admin.read").count()
    page(SuperuserFactory.create(), account=NORTH)
    told = AuditRecord.objects.latest("id")
    assert AuditRecord.objects.filter(event="admin.read").count() == before + 1
    assert told.facts["page"] == "queries_capacity"
    assert told.subject_id == str(made[NORTH].pk)


def test_without_accounts_nothing_is_said_to_be_fine(db):
    shown = page(SuperuserFactory.create())
    assert "is unknown" in shown
    assert "dr-good" not in shown


@pytest.mark.parametrize("state", CapacityState)
def test_only_ok_is_green_and_what_misses_something_says_so(state):
    green = "dr-good" in state_badge(state)
    assert green == (state == CapacityState.OK)
    worse = "or worse" in state_badge(state, at_least=True)
    assert worse == (state not in {CapacityState.UNKNOWN, CapacityState.HYPER_CRITICAL})


def test_an_unknown_bar_does_not_look_like_an_empty_one():
    unknown, empty = gauge(None, "unknown of 20", Tone.UNSURE), gauge(0, "0 of 20", Tone.GOOD)
    assert "dr-hatched" in unknown
    assert "dr-hatched" not in empty
    assert 'width="0.000"' in empty
    assert 'width="100.000"' in gauge(1.7, "34 of 20", Tone.BAD)
