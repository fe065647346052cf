"""Links in mails: single-use, expiring, one person's, and worth nothing without log-in."""

import logging
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRecord
from drportal import commandlines
from drportal.mirror.projections import all_projections
from recovery.engine.gates import GateRule
from recovery.models import (
    ApprovalLink,
    Delivery,
    Execution,
    ExecutionEvent,
    Notice,
    Preflight,
    Wave,
)
from recovery.permissions import PlanPermission
from recovery.services import advance, approvals, deliveries, executions, gates, reminders
from recovery.states import Kind
from tests.api.world import World
from tests.factories.recovery import ExecutionFactory, WaveFactory, plan_of
from tests.factories.users import PASSWORD, UserFactory, grant
from tests.recovery.test_approvals import SECOND
from tests.recovery.test_gates import actor_of
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db
PAGE = "/admin/recovery/execution/link/"
_LINK = re.compile(r"https://portal\.example(/approve\?token=([\w-]{43}))\s")


@pytest.fixture(autouse=True)
def _outside(settings):
    settings.EMAIL_HOST = "mail.invalid"  # mail itself stays in Django's memory
    settings.PUBLIC_URL = "https://portal.example"


@pytest.fixture
def person(person) -> User:
    User.objects.filter(pk=person.pk).update(email="person@example.com")
    grant(person, PlanPermission.APPROVE)
    return User.objects.get(pk=person.pk)


@pytest.fixture
def waiting(person):
    """A recovery that somebody else has asked for, and that `person` is asked about."""
    plan = plan_of(name="Plan", approval_needed=True, notification_addresses=["ops@example.com"])
    return executions.start(plan, kind=Kind.RECOVERY, confirmation="Plan", actor=PERSON)


@pytest.fixture
def at_gate(person):
    execution = ExecutionFactory.create(plan=plan_of(), state="PAUSED", started_at=timezone.now())
    WaveFactory.create(
        execution=execution,
        gate=True,
        gate_rule=GateRule(needed=1, people=("person", "ann")).as_dict(),
        state="WAITING",
        gate_reached_at=timezone.now() - timedelta(minutes=31),
    )
    reminders.remind()
    return execution


def mailed(address="person@example.com") -> str:
    """The path and query of the link in the latest mail to an address."""
    deliveries.send_due()
    (body,) = [str(sent.body) for sent in mail.outbox if sent.to == [address]][-1:]
    found = _LINK.search(body)
    return found[1] if found else ""


def test_it_asks_for_log_in_then_asks_and_approves_by_post_only(person, waiting):
    link = mailed()
    before = Execution.objects.values().get(), ApprovalLink.objects.values().get()
    stranger = Client()
    first = stranger.get(link)
    assert (first.status_code, first.headers["Location"]) == (302, PAGE)
    login = stranger.get(PAGE)
    assert login.status_code == 302
    assert login.headers["Location"].startswith("/admin/login/")
    assert "token" not in login.headers["Location"]
    assert stranger.post(link).status_code == 405
    stranger.post(
        login.headers["Location"], {"username": "person", "password": PASSWORD, "next": PAGE}
    )
    asked = stranger.get(PAGE)
    assert asked.status_code == 200
    assert "This is a REAL RECOVERY" in asked.content.decode()
    assert (Execution.objects.values().get(), ApprovalLink.objects.values().get()) == before
    assert stranger.post(PAGE, {"reason": "Go."}).status_code == 302
    waiting.refresh_from_db()
    assert (waiting.approved_by, waiting.approval_comment) == ("person", "Go.")
    again = stranger.post(PAGE, {"reason": "Again."})
    assert again.status_code == 409
    assert "This link was used" in again.content.decode()


def test_without_a_csrf_token_nothing_is_approved(person, waiting):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person)
    browser.get(mailed())
    assert browser.post(PAGE, {"reason": "Go."}).status_code == 403
    assert Execution.objects.get().approved_at is None


def test_only_whom_it_is_for_and_only_with_the_permission(person, root, browser, waiting):
    link = mailed()
    root.get(link)
    with World().unchanged():
        answer = root.post(PAGE, {"reason": "Go."})
    assert answer.status_code == 409
    assert "for somebody else" in answer.content.decode()
    person.user_permissions.clear()
    grant(person, PlanPermission.VIEW)
    browser.get(link)
    with World().unchanged():
        assert browser.post(PAGE, {"reason": "Go."}).status_code == 403
    assert AuditRecord.objects.filter(outcome="REFUSED").count() == 2


@pytest.mark.parametrize("over", ["expired", "cancelled", "ended", "approved", "rejected", "junk"])
def test_a_link_that_is_over_says_why_and_starts_nothing(person, browser, waiting, over):
    """E-62: a link that was mailed launches nothing once the execution is cancelled."""
    browser.get(mailed() if over != "junk" else "/approve?token=junk")
    if over == "expired":
        ApprovalLink.objects.update(expires_at=timezone.now())
    elif over in {"cancelled", "ended"}:
        executions.cancel(waiting, reason="Too late.", actor=PERSON)
    elif over == "approved":
        approvals.approve(waiting, actor=SECOND)
    elif over == "rejected":
        approvals.reject(waiting, reason="No.", actor=SECOND)
    if over == "ended":
        advance.advance(waiting.pk)
    before = Execution.objects.values("approved_at", "state", "cancel_reason").get()
    said = {
        "expired": "was good until",
        "cancelled": "is being cancelled, as pat asked",
        "ended": "has ended (cancelled)",
        "approved": "has been approved by sam",
        "rejected": "is being cancelled, as sam asked",
        "junk": "is not known",
    }[over]
    answers = (browser.get(PAGE), browser.post(PAGE, {"reason": "Go."}))
    assert [answer.status_code for answer in answers] == [200, 409]
    for answer in answers:
        assert said in answer.content.decode()
        assert "Traceback" not in answer.content.decode()  # E-65
    assert Execution.objects.values("approved_at", "state", "cancel_reason").get() == before


def test_what_is_refused_does_not_use_it_up(person, browser, waiting):
    browser.get(mailed())
    Preflight.objects.update(started_at=timezone.now() - timedelta(hours=3))
    assert "180 minutes ago" in browser.post(PAGE, {"reason": "Go."}).content.decode()
    assert ApprovalLink.objects.get().used_at is None
    Preflight.objects.update(started_at=timezone.now())
    browser.post(PAGE, {"reason": "Go."})
    assert Execution.objects.get().approved_by == "person"


def test_a_gate_is_approved_by_its_link_and_others_opening_it_ends_it(person, browser, at_gate):
    browser.get(mailed())
    assert "Approve that wave 1" in browser.get(PAGE).content.decode()
    ann = UserFactory.create(username="ann")
    gates.approve(at_gate, position=1, actor=actor_of(ann))
    assert "is open: ann" in browser.post(PAGE, {"reason": ""}).content.decode()
    assert Wave.objects.get().decisions.count() == 1
    Wave.objects.update(gate_opened_at=None)
    Wave.objects.get().decisions.all().delete()
    browser.post(PAGE, {"reason": "Fine."})
    assert Wave.objects.get().gate_opened_by == "person"


def test_its_token_is_in_the_mail_and_nowhere_else(person, browser, waiting, caplog, settings):
    """E-82: not in the log, the record, the timeline, the mirror or the delivery log."""
    with caplog.at_level(logging.DEBUG):
        link = mailed()
        token = link.partition("token=")[2]
        browser.get(link)
        browser.get(PAGE)
        browser.post(PAGE, {"reason": "Go."})
    assert len(token) == 43
    assert [sent.to for sent in mail.outbox if token in sent.body] == [["person@example.com"]]
    ops = next(sent.body for sent in mail.outbox if sent.to == ["ops@example.com"])
    assert "/approve?" not in ops
    kept: list[object] = [
        *(
            row.__dict__
            for model in (AuditRecord, ApprovalLink, Notice, Delivery, ExecutionEvent)
            for row in model._default_manager.all()
        ),
        *(
            projection.items(ids)
            for projection in all_projections()
            for ids in projection.object_ids()
        ),
        caplog.text,
    ]
    assert not [each for each in kept if token in repr(each)]
    assert ApprovalLink.objects.get().expires_at <= timezone.now() + timedelta(hours=24)


def test_the_access_log_holds_no_queries():
    command = commandlines.web(bind="127.0.0.1:8000")
    wanted = command[command.index("--access-logformat") + 1]
    assert "%(U)s" in wanted
    assert not [part for part in ("%(r)s", "%(q)s", "%(f)s") if part in wanted]


def test_without_an_address_of_the_portal_there_is_no_link(person, waiting, settings):
    settings.PUBLIC_URL = ""
    assert mailed() == ""
    assert not ApprovalLink.objects.exists()


def test_the_link_is_where_the_mail_says():
    assert reverse("approval-link") == "/approve"
    assert reverse("admin:recovery_execution_link") == PAGE
