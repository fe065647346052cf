"""Drills by schedule and clean-ups by themselves through the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recovery.models import CleanUp, DrillOccurrence, DrillSchedule
from recovery.models.drill_schedules import OccurrenceState
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState, Kind
from tests.factories.drills import CleanUpFactory, DrillOccurrenceFactory, DrillScheduleFactory
from tests.factories.recovery import ExecutionFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
PATH = "/api/v1/drill-schedules"
SAID: dict[str, Any] = {
    "repeats": "MONTHLY",
    "every": 3,
    "first_on": "2030-01-31",
    "at": "02:30",
    "zone": "Europe/Berlin",
    "clean_up_after_hours": 8,
    "reason": "as the auditors want",
}


@pytest.fixture
def person(plan):
    return grant(UserFactory.create(), PlanPermission.DRILL, PlanPermission.TERMINATE, on=plan)


@pytest.fixture
def client(client_of, person):
    return client_of(person)


def test_a_schedule_is_made_shown_changed_and_deleted(client, person, plan):
    made = client.post(PATH, SAID | {"plan_id": str(plan.pk)})
    assert made.status_code == 201, made.content
    where = made.headers["Location"]
    told = client.get(where).json()
    assert told == made.json()
    assert (told["plan_name"], told["made_by"], told["at"]) == (plan.name, person.username, "02:30")
    assert told["upcoming"][:2] == ["2030-01-31T01:30:00Z", "2030-04-30T00:30:00Z"]
    changed = client.put(where, {**SAID, "at": "22:00", "enabled": False}).json()
    assert (changed["at"], changed["upcoming"]) == ("22:00", [])
    assert [row["id"] for row in client.get(PATH, {"enabled": "false"}).json()["results"]]
    assert client.get(PATH, {"enabled": "true"}).json()["results"] == []
    assert client.delete(where).status_code == 204
    assert not DrillSchedule.objects.exists()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"zone": "Nowhere"}, "zone"),
        ({"at": "25:00"}, "at"),
        ({"at": 9}, "at"),
        ({"first_on": "2030-02-30"}, "first_on"),
        ({"repeats": "DAILY"}, "repeats"),
        ({"every": "3"}, "every"),
        ({"approvers": ["nobody-there"]}, "approvers"),
        ({"approver": ["x"]}, "approver"),
        ({"clean_up_after_hours": 0}, "clean_up_after_hours"),
    ],
)
def test_what_makes_no_sense_is_refused(client, plan, world, said, field):
    with world.unchanged():
        answer = client.post(PATH, {**SAID, **said, "plan_id": str(plan.pk)})
    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_to_have_it_cleaned_up_takes_that_permission_too(client_of, plan, world):
    client = client_of(grant(UserFactory.create(), PlanPermission.DRILL, on=plan))
    with world.unchanged():
        answer = client.post(PATH, SAID | {"plan_id": str(plan.pk)})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    kept = SAID | {"plan_id": str(plan.pk), "clean_up_after_hours": None}
    made = client.post(PATH, kept)
    assert made.status_code == 201
    with world.unchanged():
        assert client.put(made.headers["Location"], SAID).status_code == 403


def test_the_next_is_skipped_and_one_is_run_now(client, plan):
    schedule = DrillScheduleFactory.create(plan=plan)
    where = f"{PATH}/{schedule.pk}"
    assert client.post(f"{where}/skip-next", {}).status_code == 400
    skipped = client.post(f"{where}/skip-next", {"reason": "freeze"}).json()
    assert (skipped["state"], "freeze" in skipped["message"]) == ("SKIPPED", True)
    run = client.post(f"{where}/run-now", {"reason": "audit"})
    assert (run.status_code, run.json()["state"]) == (202, "SCHEDULED")
    again = client.post(f"{where}/run-now", {"reason": "audit"})
    assert (again.status_code, again.json()["code"]) == (409, "recovery.occurrence_under_way")
    rows = client.get("/api/v1/drill-occurrences", {"schedule_id": str(schedule.pk)}).json()
    assert {row["state"] for row in rows["results"]} == {"SKIPPED", "SCHEDULED"}


def test_a_schedule_is_disabled_and_enabled(client, plan):
    where = f"{PATH}/{DrillScheduleFactory.create(plan=plan).pk}"
    assert client.post(f"{where}/disable", {"reason": "freeze"}).json()["enabled"] is False
    answer = client.post(f"{where}/skip-next", {"reason": "freeze"})
    assert answer.json()["code"] == "recovery.nothing_scheduled"
    assert client.post(f"{where}/enable", {"reason": "over"}).json()["enabled"] is True


@pytest.mark.parametrize("what", ["approve", "decline"])
def test_only_who_is_named_and_sees_the_plan_decides(client_of, plan, world, what):
    schedule = DrillScheduleFactory.create(plan=plan, approvers=["ann"])
    state = OccurrenceState.WAITING_FOR_APPROVAL
    found = DrillOccurrenceFactory.create(schedule=schedule, state=state)
    path, said = f"/api/v1/drill-occurrences/{found.pk}/{what}", {"reason": "freeze"}
    body = said if what == "decline" else {"comment": "Go."}
    ann = UserFactory.create(username="ann")
    other = grant(UserFactory.create(), *PlanPermission, on=plan)
    with world.unchanged():
        assert client_of(ann).post(path, body).status_code == 404
        refused = client_of(other).post(path, body)
    assert (refused.status_code, refused.json()["code"]) == (403, "recovery.not_an_approver")
    client = client_of(grant(ann, PlanPermission.VIEW, on=plan))
    done = client.post(path, body)
    assert done.status_code == 200, done.content
    assert done.json()["state"] == ("SCHEDULED" if what == "approve" else "SKIPPED")
    assert client.post(path, body).json()["code"] == "recovery.occurrence_over"


def test_a_list_costs_the_same_for_one_and_for_many(root):
    counts = []
    for more in (1, 20):
        for _ in range(more):
            DrillOccurrenceFactory.create(state=OccurrenceState.SKIPPED)
        for path in (PATH, "/api/v1/drill-occurrences"):
            with CaptureQueriesContext(connection) as asked:
                assert root.get(path).status_code == 200
            counts.append(len(asked))
    assert counts[:2] == counts[2:]
    assert DrillOccurrence.objects.count() == 21


def test_a_clean_up_is_chosen_put_off_and_vetoed(client, plan):
    ended = timezone.now()
    drill = ExecutionFactory.create(plan=plan, state=ExecutionState.COMPLETED, finished_at=ended)
    where = f"/api/v1/executions/{drill.pk}/clean-up"
    assert client.get(where).status_code == 404
    chosen = client.put(where, {"hours": 8})
    assert chosen.status_code == 200, chosen.content
    told = client.get(where).json()
    assert told == chosen.json()
    due = ended + timedelta(hours=8)
    assert told["due_at"] == due.isoformat().replace("+00:00", "Z")
    later = client.post(f"{where}/put-off", {"hours": 2, "reason": "still testing"}).json()
    assert (later["hours"], later["state"]) == (10, "PLANNED")
    vetoed = client.post(f"{where}/veto", {"reason": "keep"}).json()
    assert (vetoed["state"], vetoed["veto_reason"], vetoed["starts_at"]) == ("VETOED", "keep", None)
    again = client.post(f"{where}/veto", {"reason": "keep"})
    assert (again.status_code, again.json()["code"]) == (409, "recovery.clean_up_not_planned")
    assert client.put(where, {"hours": 1}).json()["state"] == "PLANNED"


def test_a_recovery_is_never_cleaned_up_by_itself(client, plan, world):
    real = ExecutionFactory.create(plan=plan, kind=Kind.RECOVERY, state=ExecutionState.COMPLETED)
    with world.unchanged():
        answer = client.put(f"/api/v1/executions/{real.pk}/clean-up", {"hours": 8})
    assert (answer.status_code, answer.json()["code"]) == (409, "recovery.drills_only")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("put", "clean-up", {"hours": 1}),
        ("post", "clean-up/put-off", {"hours": 1, "reason": "x"}),
        ("post", "clean-up/veto", {"reason": "x"}),
    ],
)
def test_it_takes_what_terminating_takes(client_of, plan, world, method, path, body):
    found = CleanUpFactory.create(
        execution=ExecutionFactory.create(
            plan=plan, state=ExecutionState.COMPLETED, finished_at=timezone.now()
        )
    )
    where = f"/api/v1/executions/{found.execution_id}/{path}"
    others = [each for each in PlanPermission if each != PlanPermission.TERMINATE]
    seeing = client_of(grant(UserFactory.create(), *others, on=plan))
    stranger = client_of(UserFactory.create())
    with world.unchanged():
        assert getattr(seeing, method)(where, body).status_code == 403
        assert getattr(stranger, method)(where, body).status_code == 404
    able = client_of(grant(UserFactory.create(), PlanPermission.TERMINATE, on=plan))
    assert getattr(able, method)(where, body).status_code == 200
    assert CleanUp.objects.count() == 1
