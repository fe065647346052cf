from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import RequestFactory

from audit import services
from audit.middleware import SourceAddressMiddleware
from audit.models import AuditRecord, Outcome
from audit.source import coming_from, source_address
from drportal.actor import PORTAL, Actor, ActorKind, Door
from drportal.masking import MASK
from drportal.mirror.models import OutboxEntry
from drportal.observability import correlated
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


def record(event="protection.account.changed", actor=PORTAL, **facts):
    with transaction.atomic():
        services.record(event, actor=actor, **facts)
    return AuditRecord.objects.latest("id")


def test_a_record_says_who_did_what_to_what():
    user, account = UserFactory.create(username="kim"), TargetAccountFactory.create(name="payments")
    with correlated("work-12345678"), coming_from("192.0.2.7"):
        written = record(
            actor=Actor.of(user, door=Door.ADMIN), subject=account, name="old", count=2
        )
    assert written.event == "protection.account.changed"
    assert (written.actor_kind, written.actor_name) == ("PERSON", "kim")
    assert (written.user_id, written.door) == (user.pk, "ADMIN")
    assert written.subject_kind == "protection.targetaccount"
    assert (written.subject_id, written.subject_label) == (str(account.pk), str(account))
    assert written.facts == {"name": "old", "count": 2}
    assert (written.correlation_id, written.source_address) == ("work-12345678", "192.0.2.7")
    assert written.outcome == Outcome.SUCCEEDED
    assert abs((datetime.now(UTC) - written.at).total_seconds()) < 60


def test_a_record_is_marked_for_the_mirror():
    written = record()
    entry = OutboxEntry.objects.get()
    assert (entry.kind, entry.object_id) == ("AuditLogs", str(written.mirror_id))


def test_a_record_outside_a_transaction_is_refused():
    with pytest.raises(RuntimeError, match="commit together"):
        services.record("a.happened", actor=PORTAL)
    with pytest.raises(RuntimeError, match="commit together"):
        services.record_failure("a.failed", actor=PORTAL)
    assert not AuditRecord.objects.exists()


def test_a_record_goes_with_the_change_that_is_rolled_back():
    with transaction.atomic():
        account = TargetAccountFactory.create()
        services.record("protection.account.added", actor=PORTAL, subject=account)
        transaction.set_rollback(True)
    assert not AuditRecord.objects.exists()
    assert not OutboxEntry.objects.exists()


def test_no_record_no_change():
    nobody = Actor(kind=ActorKind.PERSON, name="x", door=Door.API, user_id=2**70)
    with pytest.raises(Exception, match="out of range"), transaction.atomic():  # noqa: PT012
        account = TargetAccountFactory.create()
        services.record("protection.account.added", actor=nobody, subject=account)
    assert not type(account).objects.exists()


def test_a_refusal_stands_by_itself():
    services.record_refusal(
        "recovery.execution.refused", actor=PORTAL, code="recovery.busy", detail="It is busy."
    )
    written = AuditRecord.objects.get()
    assert written.outcome == Outcome.REFUSED
    assert written.facts == {"code": "recovery.busy", "detail": "It is busy."}
    assert OutboxEntry.objects.count() == 1


def test_a_failure_is_recorded_as_one():
    with transaction.atomic():
        services.record_failure("recovery.execution.failed", actor=PORTAL, reason="no")
    assert AuditRecord.objects.get().outcome == Outcome.FAILED


def test_a_read_is_recorded():
    services.record_read("queries.servers.listed", actor=PORTAL, count=7)
    assert AuditRecord.objects.get().facts == {"count": 7}


@pytest.mark.parametrize("write", ["record_refusal", "record_read"])
def test_what_stands_by_itself_refuses_to_be_part_of_a_change(write):
    facts = {"code": "c", "detail": "d"} if write == "record_refusal" else {}
    with transaction.atomic(), pytest.raises(RuntimeError):
        getattr(services, write)("a.happened", actor=PORTAL, **facts)
    assert not AuditRecord.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditrecord SET event = 'something.else'",
        "UPDATE audit_auditrecord SET facts = facts",
        "DELETE FROM audit_auditrecord",
        """INSERT INTO audit_auditrecord SELECT * FROM audit_auditrecord
           ON CONFLICT (id) DO UPDATE SET event = 'something.else'""",
    ],
)
def test_postgresql_refuses_to_change_a_record(statement):
    before = record()
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="append-only"):
        cursor.execute(statement)
    after = AuditRecord.objects.get()
    assert (after.pk, after.event, after.facts) == (before.pk, before.event, before.facts)


@pytest.mark.parametrize(
    "change",
    [
        lambda records: records.update(event="x"),
        lambda records: records.delete(),
        lambda records: records.bulk_update(list(records), ["event"]),
    ],
)
def test_code_refuses_to_change_a_record(change):
    record()
    with pytest.raises(TypeError, match="append-only"):
        change(AuditRecord.objects.all())


def test_a_saved_or_deleted_record_is_refused_too():
    written = record()
    with pytest.raises(IntegrityError, match="append-only"):
        written.save()
    with pytest.raises((IntegrityError, TypeError), match="append-only"):
        written.delete()
    assert AuditRecord.objects.count() == 1


def test_a_test_database_can_be_emptied():
    record()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_auditrecord")
    assert not AuditRecord.objects.exists()


def test_secrets_are_masked_before_they_are_written():
    account = TargetAccountFactory.create(name="Bearer abcdefghijklmnop")
    written = record(
        subject=account,
        external_id="hush",
        nested={"apiKey": ["hush"], "keyName": "kept"},
        url="postgresql://portal:hush@db/portal",
    )
    assert written.facts == {
        "external_id": MASK,
        "nested": {"apiKey": MASK, "keyName": "kept"},
        "url": MASK,
    }
    assert "abcdefghijklmnop" not in written.subject_label


def test_nothing_said_by_a_caller_can_prevent_a_record():
    nobody = Actor(kind=ActorKind.PERSON, name="\x00" + "n" * 999, door=Door.API)
    written = record(
        actor=nobody,
        nul="a\x00b",
        half="\ud800",
        odd=float("nan"),
        endless=float("inf"),
        thing=object(),
        known=[uuid4(), datetime.now(UTC), {1, 2}, b"bytes"],
    )
    assert len(written.actor_name) == 255
    assert written.facts["odd"] == "nan"
    assert written.facts["thing"] == MASK


def test_facts_that_are_too_large_are_left_out_and_named():
    written = record(small=1, large="x" * services.LONGEST_FACTS)
    assert written.facts["left_out"] == ["large", "small"]
    assert written.facts["bytes"] > services.LONGEST_FACTS


def test_records_of_many_at_once_all_stand():
    def write(number):
        try:
            return record(number=number).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(20)))
    assert sorted(r.facts["number"] for r in AuditRecord.objects.all()) == list(range(20))
    assert OutboxEntry.objects.count() == 20


@pytest.mark.parametrize(
    ("peer", "noted"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"), ("", None), ("unix:", None)],
)
def test_the_peer_of_a_request_is_noted(peer, noted):
    seen = []

    def view(request):
        seen.append(source_address())
        return HttpResponse()

    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="203.0.113.9")
    SourceAddressMiddleware(view)(request)
    assert seen == [noted]
    assert source_address() is None


def test_only_viewing_can_be_granted():
    assert AuditRecord._meta.default_permissions == ("view",)
    assert AuditRecord._meta.permissions == []
