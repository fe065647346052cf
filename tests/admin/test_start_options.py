"""Choosing a part of a plan in the admin, and starting just that."""

import pytest
from django.urls import reverse

from recovery.models import Execution, Preflight
from recovery.states import PreflightState
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import PreflightFactory, plan_of
from tests.factories.users import grant

pytestmark = pytest.mark.django_db
POINT = "pit-0123456789abcdef0"


def link(name: str, *ids: object, query: str = "") -> str:
    found = reverse(f"admin:recovery_recoveryplan_{name}", args=ids)
    return f"{found}?{query}" if query else found


@pytest.fixture
def plan():
    return plan_of(ProtectionGroupFactory.create(), ProtectionGroupFactory.create(), name="Shop")


def server_of(plan, position: int) -> str:
    [entry] = plan.waves.get(position=position).entries.all()
    server_id: str = entry.group.members.get().server.server_id
    return server_id


def text(answer) -> str:
    said: str = answer.content.decode()
    return said


def test_what_is_chosen_goes_from_the_form_to_the_start_and_into_the_execution(root, plan):
    last = server_of(plan, 2)
    assert link("start_options", plan.pk, "drill") in text(
        root.get(link("start", plan.pk, "drill"))
    )
    form = text(root.get(link("start_options", plan.pk, "drill")))
    assert f"2: {plan.waves.get(position=2).entries.get().group.members.get().server.name}" in form
    query = {"chosen": "1", "from_wave": "2", "points": f"{last} {POINT}", "ticket": "CHG-1"}
    answer = root.get(link("start_options", plan.pk, "drill"), query)
    assert answer.status_code == 302
    there = answer["Location"]
    page = text(root.get(there))
    assert "From wave 2 on." in page
    assert POINT in page
    assert "Ticket: CHG-1" in page
    assert "none: it counts as ended well" in page
    # The preflight of the whole plan does not count, and the page leads to one of just this.
    assert "It would be refused now." in page
    assert "with just these options" in page
    run = link("preflight", plan.pk, query=there.partition("?")[2] + "&kind=drill")
    assert run.replace("&", "&amp;") in page
    assert "From wave 2 on." in text(root.get(run))
    assert root.post(run)["Location"] == there
    asked = Preflight.objects.get(state=PreflightState.RUNNING)
    assert asked.options == {"from_wave": 2, "points": {last: POINT}}
    PreflightFactory.create(plan=plan, options=asked.options)
    assert "It would be refused now." not in text(root.get(there))
    answer = root.post(there, {"reason": "Only the web"})
    execution = Execution.objects.get()
    assert str(execution.pk) in answer["Location"]
    assert (execution.options, execution.ticket) == (asked.options, "CHG-1")
    assert list(execution.waves.order_by("position").values_list("state", flat=True)) == [
        "LEFT_OUT",
        "PENDING",
    ]
    shown = text(root.get(answer["Location"]))
    assert "Start options: From wave 2 on." in shown
    assert f"Chosen point {POINT}, when that was taken is not known" in shown
    report = text(root.get(reverse("admin:recovery_execution_report", args=[execution.pk])))
    assert "CHG-1" in report
    assert "From wave 2 on." in report


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from_wave": "3"}, "The plan has no wave 3."),
        ({"from_wave": "x"}, "Enter a whole number."),
        ({"waves": "7"}, "7 is not one of the available choices"),
        ({"points": "s-1 snap-1"}, "This is no server and recovery point"),
        ({"points": f"s-1 {POINT}"}, "A recovery point is chosen for what is not launched"),
        ({"not_after": "2199-01-01 00:00"}, "yet to come"),
        ({"not_after": "soon"}, "Enter a valid date/time."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(root, plan, query, said):
    answer = root.get(link("start_options", plan.pk, "drill"), {"chosen": "1", **query})
    assert answer.status_code == 200
    assert said in text(answer)


def test_an_address_that_chooses_what_is_not_there_starts_nothing(root, plan):
    there = link("start", plan.pk, "drill", query="waves=9")
    assert root.get(there).status_code == 404
    assert root.post(there, {"reason": ""}).status_code == 404
    assert not Execution.objects.exists()


def test_whoever_may_not_start_it_may_not_choose(browser, person, plan):
    grant(person, "recovery.view_recoveryplan", on=plan)
    assert browser.get(link("start_options", plan.pk, "drill")).status_code == 403
