import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import AuditRecord
from audit.selectors import history, records_for
from audit.services import record, record_refusal
from drportal.actor import PORTAL
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
LIST = "/admin/audit/auditrecord/"


@pytest.fixture
def account():
    return TargetAccountFactory.create(name="payments")


@pytest.fixture
def records(account):
    with transaction.atomic():
        record("protection.account.changed", actor=PORTAL, subject=account, role={"name": "<b>x"})
    record_refusal("recovery.execution.start", actor=PORTAL, code="recovery.busy", detail="Busy.")
    return list(AuditRecord.objects.order_by("id"))


@pytest.fixture
def auditor(client):
    client.force_login(grant(UserFactory.create(is_staff=True), "audit.view_auditrecord"))
    return client


@pytest.fixture
def operator(client):
    client.force_login(grant(UserFactory.create(is_staff=True), "protection.view_targetaccount"))
    return client


def test_an_auditor_reads_the_list_and_each_record(auditor, records):
    page = auditor.get(LIST).content.decode()
    for text in ("protection.account.changed", "payments", "Refused", "recovery.execution.start"):
        assert text in page
    page = auditor.get(f"{LIST}{records[0].pk}/change/").content.decode()
    assert "payments" in page
    assert "&lt;b&gt;x" in page
    assert "<b>x" not in page


@pytest.mark.parametrize("query", ["outcome__exact=REFUSED", "q=recovery.execution"])
def test_the_list_is_filtered(auditor, records, query):
    page = auditor.get(f"{LIST}?{query}").content.decode()
    assert "recovery.execution.start" in page
    assert "protection.account.changed" not in page


def test_nobody_else_sees_a_record(operator, records):
    assert operator.get(LIST).status_code == 403
    assert operator.get(f"{LIST}{records[0].pk}/change/").status_code in {403, 404}


@pytest.mark.parametrize("page", ["add/", "{}/edit/", "{}/delete/", "{}/share/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_auditor_changes_nothing(auditor, records, page, method):
    url = LIST + page.format(records[0].pk)
    assert getattr(auditor, method)(url).status_code in {403, 404}
    assert AuditRecord.objects.count() == 2


def test_an_auditor_is_offered_no_action(auditor, records):
    page = auditor.get(LIST).content.decode()
    assert "delete_selected" not in page
    assert auditor.post(LIST, {"action": "delete_selected"}).status_code in {200, 302, 403}
    assert AuditRecord.objects.count() == 2


def test_a_list_of_50_costs_what_a_list_of_1_costs(auditor):
    def queries():
        with CaptureQueriesContext(connection) as found:
            assert auditor.get(LIST).status_code == 200
        return len(found)

    def write(count):
        with transaction.atomic():
            for number in range(count):
                record("tests.done", actor=PORTAL, number=number)

    write(1)
    alone = queries()
    write(49)
    assert queries() == alone


def test_the_history_of_an_object(account, records):
    other = TargetAccountFactory.create()
    with transaction.atomic():
        record("protection.account.checked", actor=PORTAL, subject=account)
        record("protection.account.checked", actor=PORTAL, subject=other)
    assert [r.event for r in history(account)] == [
        "protection.account.checked",
        "protection.account.changed",
    ]


def test_records_are_seen_all_or_none(records):
    someone = UserFactory.create()
    assert not records_for(someone).exists()
    assert records_for(grant(someone, "audit.view_auditrecord")).count() == 2
    gone = UserFactory.create(is_active=False)
    assert not records_for(grant(gone, "audit.view_auditrecord")).exists()
