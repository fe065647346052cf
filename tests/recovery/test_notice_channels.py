"""Channels and preferences: what is refused, recorded, masked and restored."""

import json
import logging

import pytest
from django.core import mail
from django.db import transaction

from audit.models import AuditRecord
from drportal.errors import InvalidInput
from drportal.mirror.projections import projection_of
from recovery import configuration
from recovery.errors import ChannelNameTaken
from recovery.models import Delivery, NoticeChannel, NoticePreference
from recovery.services import deliveries, notice_channels, plans
from recovery.services.events import note
from recovery.services.notices import KINDS
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.factories.users import UserFactory
from tests.notify.servers import webhook
from tests.recovery.test_deliveries import asked
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"
TOPIC = "arn:aws:sns:us-east-1:123456789012:dr"


def add(plan=None, **more):
    wanted = {"name": "Room", "medium": "SERVICE", "address": SLACK, "kinds": ["ENDED"], **more}
    return notice_channels.add(plan=plan, actor=PERSON, **wanted)


def test_a_secret_is_in_no_record_no_item_and_no_export(caplog):
    caplog.set_level(logging.DEBUG)
    channel = add(plan_of())
    notice_channels.edit(
        channel, name="Hall", kinds=[], active=True, address=f"{SLACK}x", actor=PERSON
    )
    notice_channels.test(channel, actor=PERSON)
    assert NoticeChannel.objects.get().address == f"{SLACK}x"
    said = [json.dumps(record.facts) + record.subject_label for record in AuditRecord.objects.all()]
    items = projection_of("NoticeChannels").items([str(channel.pk)])
    lines = [f"{row} {row.shown} {row.notice.message}" for row in Delivery.objects.all()]
    everything = [*said, str(items), str(configuration.document()), *lines, caplog.text]
    assert SECRET not in " ".join(everything)
    assert "Slack [masked]" in " ".join(said)
    assert "Slack [masked]" in str(items)


def test_what_was_changed_is_recorded(caplog):
    channel = add(plan_of(name="Payments"))
    notice_channels.edit(channel, name="Room", kinds=["WAITING"], active=False, actor=PERSON)
    notice_channels.remove(channel, actor=PERSON)
    added, edited, removed = AuditRecord.objects.filter(
        event__startswith="recovery.notice_channel"
    ).order_by("id")
    assert added.facts["new"]["plan"] == "Payments"
    assert (edited.facts["old"]["kinds"], edited.facts["new"]["kinds"]) == (["ENDED"], ["WAITING"])
    assert edited.facts["address_changed"] is False
    assert (removed.event, removed.facts["to"]) == (
        "recovery.notice_channel.removed",
        "Slack [masked]",
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"kinds": ["NO_SUCH"]}, "kinds"),
        ({"address": "nonsense"}, "address"),
        ({"address": ""}, "address"),
        ({"address": SLACK + "x" * 1000}, "address"),
        ({"medium": "TOPIC"}, "address"),
        ({"medium": "TOPIC", "address": "arn:aws:sns:us-east-1:123456789012:dr.fifo"}, "address"),
        ({"medium": "MAIL", "address": "ops@example.com"}, "medium"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_not_quoted(wrong, field):
    with pytest.raises(InvalidInput) as refusal:
        add(plan_of(), **wrong)
    assert field in {complaint["field"] for complaint in refusal.value.errors}
    assert SECRET not in str(refusal.value.errors)
    assert not NoticeChannel.objects.exists()


def test_an_edit_that_is_refused_changes_nothing():
    channel = add(plan_of())
    with pytest.raises(InvalidInput):
        notice_channels.edit(
            channel, name="Other", kinds=[], active=True, address="nonsense", actor=PERSON
        )
    kept = NoticeChannel.objects.get()
    assert (kept.name, kept.address, kept.masked) == ("Room", SLACK, "Slack [masked]")


def test_a_plans_channels_have_names_of_their_own():
    plan = plan_of()
    add(plan)
    with pytest.raises(ChannelNameTaken):
        add(plan)
    add(plan_of())
    add(None)
    with pytest.raises(ChannelNameTaken):
        add(None)


def test_channels_are_told_of_their_plan_or_of_all_and_of_their_kinds_only():
    mine, other = plan_of(name="Mine"), plan_of(name="Other")
    with webhook() as hook:
        for plan, path, kinds, active in (
            (mine, "mine", ["REQUESTED"], True),
            (mine, "mine-ended", ["ENDED"], True),
            (other, "other", ["REQUESTED"], True),
            (None, "every", ["REQUESTED"], True),
            (None, "off", ["REQUESTED"], False),
        ):
            made = add(plan, name=path, address=f"{hook.url}/{path}", kinds=kinds)
            NoticeChannel.objects.filter(pk=made.pk).update(active=active)
        asked(mine)
        deliveries.send_due()
    assert sorted(path for path, _ in hook.posts) == ["/every", "/mine"]


def test_a_test_message_says_that_it_is_one_and_is_in_the_log():
    with webhook() as hook:
        channel = add(plan_of(name="Payments"), address=f"{hook.url}/in")
        delivery = notice_channels.test(channel, actor=PERSON)
        deliveries.send_due()
    [(_, body)] = hook.posts
    assert body["title"] == "[DR portal] Payments: test message"
    assert body["message"].startswith("This is a TEST of a channel: nothing has happened.")
    delivery.refresh_from_db()
    assert delivery.state == "SENT"
    assert AuditRecord.objects.filter(event="recovery.notice_channel.tested").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda channel: notice_channels.remove(channel, actor=PERSON), "removed"),
        (
            lambda channel: notice_channels.edit(
                channel, name="Room", kinds=[], active=False, actor=PERSON
            ),
            "switched off",
        ),
    ],
    ids=["removed", "off"],
)
def test_what_waits_for_a_channel_that_is_no_more_is_dropped(change, why):
    with webhook() as hook:
        channel = add(plan_of(), address=f"{hook.url}/in")
        notice_channels.test(channel, actor=PERSON)
        change(channel)
        deliveries.send_due()
    assert hook.posts == []
    found = Delivery.objects.get()
    assert found.state == "DROPPED"
    assert why in found.last_error


def test_preferences_are_of_known_kinds_need_an_address_and_are_recorded():
    person = UserFactory.create(email="ann@example.com")
    notice_channels.prefer(person, kinds=["ENDED", "WAITING"], actor=PERSON)
    notice_channels.prefer(person, kinds=["ENDED"], actor=PERSON)
    assert NoticePreference.objects.get().kinds == ["ENDED"]
    kept = AuditRecord.objects.filter(event="recovery.notice_preference.set").latest("id")
    assert (kept.facts["old"], kept.facts["new"]) == (["ENDED", "WAITING"], ["ENDED"])
    with pytest.raises(InvalidInput, match="cannot be chosen"):
        notice_channels.prefer(person, kinds=["NO_SUCH"], actor=PERSON)
    with pytest.raises(InvalidInput):
        notice_channels.prefer(UserFactory.create(email=""), kinds=["ENDED"], actor=PERSON)
    assert NoticePreference.objects.get().kinds == ["ENDED"]


def test_every_kind_has_words_of_its_own():
    assert len({sort.label for sort in KINDS.values()}) == len(KINDS)
    assert all(len(kind) <= 24 for kind in KINDS)


def test_a_notice_tells_the_executions_address_only_where_the_portal_has_one(settings):
    settings.EMAIL_HOST, settings.PUBLIC_URL = "mail.invalid", ""
    asked(plan_of(notification_addresses=["ops@example.com"]))
    deliveries.send_due()
    [message] = mail.outbox
    assert "http" not in message.body


def test_of_an_execution_whose_plan_is_gone_the_channels_of_all_plans_are_told():
    execution = ExecutionFactory.create(plan=None, plan_name="Gone")
    with webhook() as hook:
        add(None, address=f"{hook.url}/in", kinds=["REQUESTED"])
        with transaction.atomic():
            note(execution, "execution.requested", "Asked for.")
        deliveries.send_due()
    [(_, body)] = hook.posts
    assert body["title"] == "[DRILL] Gone: requested"


def test_a_plan_takes_its_channels_along():
    plan = plan_of()
    add(plan)
    plans.delete(plan, actor=PERSON)
    assert not NoticeChannel.objects.exists()
