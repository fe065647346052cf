"""The report as a PDF: the facts of the page, unknown as unknown, however much there is."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from recovery.models import Execution, GateDecision, RecoveryPlan, ServerCheck, WaveServer
from recovery.services.report_pdf import pdf_of
from recovery.services.reports import report
from recovery.states import ExecutionState, Kind, ServerState
from tests.factories.checks import failed_by_its_check
from tests.factories.recovery import (
    ExecutionEventFactory,
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import SuperuserFactory, UserFactory
from tests.pdfs import pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution():
    plan = plan_of(name="Payroll", rto=timedelta(hours=1), rpo=timedelta(minutes=15))
    now = timezone.now()
    made = ExecutionFactory.create(
        plan=plan,
        state=ExecutionState.COMPLETED,
        created_at=now - timedelta(minutes=30),
        reason="the yearly (one) & <more>",
    )
    wave = WaveFactory.create(execution=made, name="Databases")
    job = LaunchJobFactory.create(wave=wave, asked_at=now)
    server = {"wave": wave, "launch_job": job, "state": ServerState.LAUNCHED, "finished_at": now}
    WaveServerFactory.create(**server, name="db-1", recovery_point_at=now - timedelta(minutes=10))
    WaveServerFactory.create(**server, name="сервер", recovery_point_at=None)
    ExecutionEventFactory.create(execution=made, message="It began.")
    return made


def told(execution) -> str:
    return " ".join(pages(pdf_of(report(execution))))


def test_it_says_what_the_page_says(execution):
    said = told(execution)
    for fact in (
        "DRILL of Payroll",
        "the yearly (one) & <more>",
        execution.requested_by,
        str(execution.pk),
        "at most 1 h",
        "kept",
        "10 min at least; unknown of 1",
        "db-1",
        "It began.",
        "There was none before.",
        "Page 1 of 1",
    ):
        assert fact.replace(" ", "") in said.replace(" ", ""), fact


def test_what_is_not_known_is_said_to_be_so(execution):
    RecoveryPlan.objects.all().delete()
    WaveServer.objects.update(recovery_point_at=None)
    said = told(execution)
    assert said.count("not known: the plan was deleted") == 2
    assert "unknown" in said
    assert "kept" not in said


def test_letters_that_the_fonts_lack_are_written_by_number(execution):
    assert r"\u0441\u0435\u0440\u0432\u0435\u0440" in told(execution).replace(" ", "")


def test_one_that_has_not_ended_is_no_final_report(execution):
    running = ExecutionFactory.create(state=ExecutionState.RUNNING, kind=Kind.RECOVERY)
    said = told(running)
    assert "RECOVERY of" in said
    assert "has not ended" in said


def test_250_servers_with_long_names_are_a_few_numbered_pages(execution):
    wave = execution.waves.get()
    names = [f"a-very-long-name-without-any-space-in-it-{n:03}" + "x" * 60 for n in range(250)]
    for name in names:
        WaveServerFactory.create(wave=wave, name=name, message="It failed: " + "why " * 10)
    WaveServer.objects.filter(name=names[7]).update(message="y" * 60_000)
    found = pages(pdf_of(report(execution)))
    assert 5 <= len(found) <= 25
    for number, page in enumerate(found, start=1):
        assert f"Page {number} of {len(found)}" in page
        assert "DRILL of Payroll" in page
    whole = "".join(found).replace(" ", "")
    assert all(f"in-it-{n:03}" in whole for n in range(250))
    assert "[shortened]" in whole


def test_the_api_answers_with_it(root, execution):
    path = f"/api/v1/executions/{execution.pk}/report"
    wanted = root.get(path, {"format": "pdf"})
    accepted = root.get(path, HTTP_ACCEPT="application/pdf")
    for answer in (wanted, accepted):
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert "attachment" in answer["Content-Disposition"]
        assert "Payroll" in " ".join(pages(answer.content))
    assert root.get(path).json()["final"] is True
    assert root.get(path, {"format": "xml"}).status_code == 404


def test_what_goes_wrong_is_a_problem_and_no_pdf(client_of, execution):
    client = client_of(UserFactory.create())
    answer = client.get(f"/api/v1/executions/{execution.pk}/report", {"format": "pdf"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_the_page_has_a_button_for_it(execution):
    browser = Client()
    browser.force_login(SuperuserFactory.create())
    page = f"/admin/recovery/execution/{execution.pk}/report"
    assert f"{page}.pdf" in browser.get(f"{page}/").content.decode()
    answer = browser.get(f"{page}.pdf")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert "Payroll" in " ".join(pages(answer.content))


def test_page_and_pdf_name_who_approved_who_decided_at_gates_and_each_check(root):
    execution, server = failed_by_its_check(message="Nothing listens.")
    Execution.objects.filter(pk=execution.pk).update(
        approval_needed=True, approved_at=timezone.now(), approved_by="ann", ticket="INC-7"
    )
    wave = execution.waves.get(position=1)
    GateDecision.objects.create(wave=wave, person="bob", approved=True, comment="The data is there")
    found = root.get(f"/admin/recovery/execution/{execution.pk}/report/").content.decode()
    filed = told(execution)
    for fact in ("ann, ", "INC-7", "approved by bob", "The data is there", "Nothing listens."):
        assert fact in found, fact
        assert fact.replace(" ", "") in filed.replace(" ", ""), fact
    ServerCheck.objects.filter(server=server).update(by_hand="cleo", reason="I looked.")
    assert "Passed by hand by cleo: I looked." in (
        root.get(f"/admin/recovery/execution/{execution.pk}/report/").content.decode()
    )
