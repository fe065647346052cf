"""The pages of notices: what they show, and to whom."""

import pytest

from audit.models import AuditRecord
from recovery.models import Delivery, NoticeChannel, NoticePreference
from recovery.models.notices import DeliveryState
from recovery.permissions import NoticePermission, PlanPermission
from recovery.services import notice_channels
from tests.admin.conftest import recorded
from tests.factories.admin import estate
from tests.factories.recovery import plan_of
from tests.factories.users import grant
from tests.worlds import PERSON

LOG = "/admin/recovery/delivery/"
CHANNELS = "/admin/recovery/noticechannel/"
MINE = "/admin/recovery/noticepreference/"
SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def typed(plan, **more):
    said = {"plan": plan.pk, "name": "Room", "medium": "SERVICE", "address": SLACK}
    return said | {"kinds": ["ENDED", "WAITING"]} | more


@pytest.fixture
def channel(db) -> NoticeChannel:
    return notice_channels.add(
        plan=plan_of(name="Payments"),
        name="Room",
        medium="SERVICE",
        address=SLACK,
        kinds=["ENDED"],
        actor=PERSON,
    )


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("PENDING", "dr-wait"),
        ("FAILED", "dr-bad"),
        ("SENT", "dr-good"),
        ("GIVEN_UP", "dr-bad"),
        ("DROPPED", "dr-plain"),
    ],
)
def test_the_log_shows_how_each_delivery_stands(root, db, state, shown):
    estate()
    ended = state in {"SENT", "GIVEN_UP", "DROPPED"}
    found = Delivery.objects.get()
    Delivery.objects.update(state=state, ended_at=found.created_at if ended else None)
    Delivery.objects.update(last_error="The mail server cannot be reached.")
    for path in (LOG, f"{LOG}?state={state}", f"{LOG}{found.pk}/change/"):
        said = text(root.get(path))
        assert f'class="dr-badge {shown}">{DeliveryState(state).label}<' in said
        assert "The mail server cannot be reached." in said
        assert "A gate waits for a person" in said
        assert "never-shown" not in said
    assert ("Next attempt" in said) is not ended


def test_the_log_is_for_those_who_may_edit_the_plan_or_see_all(person, browser, db):
    mine = estate()
    estate()
    assert browser.get(LOG).status_code == 403
    grant(person, PlanPermission.VIEW, on=mine["recovery.recoveryplan"])
    assert browser.get(LOG).status_code == 403, "it holds other people's addresses"
    grant(person, PlanPermission.CHANGE, on=mine["recovery.recoveryplan"])
    said = text(browser.get(LOG))
    assert mine["recovery.recoveryplan"].name in said
    assert said.count("A gate waits for a person") >= 1
    other = Delivery.objects.exclude(pk=mine["recovery.delivery"].pk).get()
    assert browser.get(f"{LOG}{other.pk}/change/").status_code == 404
    grant(person, NoticePermission.VIEW_DELIVERIES)
    assert browser.get(f"{LOG}{other.pk}/change/").status_code == 200


def test_a_channel_is_added_and_its_address_never_shown_again(root, db):
    plan = plan_of(name="Payments")
    answer = root.post(f"{CHANNELS}add/", typed(plan))
    made = NoticeChannel.objects.get()
    assert answer.status_code == 302
    assert (made.plan, made.address, made.kinds) == (plan, SLACK, ["ENDED", "WAITING"])
    for path in (CHANNELS, *(f"{CHANNELS}{made.pk}/{page}/" for page in ("change", "edit"))):
        said = text(root.get(path))
        assert SECRET not in said
        assert "Slack [masked]" in said
    said = text(root.get(f"{CHANNELS}{made.pk}/history/"))
    assert "recovery.notice_channel.added" in said
    assert SECRET not in said


def test_a_form_that_is_refused_does_not_say_the_address_again(root, db):
    answer = root.post(f"{CHANNELS}add/", typed(plan_of(), name=" "))
    assert answer.status_code == 200
    assert SECRET not in text(answer)
    answer = root.post(f"{CHANNELS}add/", typed(plan_of(), address=f"nonsense-{SECRET}"))
    assert "This is no address of a service" in text(answer)
    assert SECRET not in text(answer)
    assert not NoticeChannel.objects.exists()
    assert SECRET not in str(list(AuditRecord.objects.values_list("facts", flat=True)))


def test_an_edit_without_an_address_keeps_it(root, channel):
    link = f"{CHANNELS}{channel.pk}/edit/"
    assert root.post(link, {"name": "Hall", "kinds": ["ENDED"]}).status_code == 302
    kept = NoticeChannel.objects.get()
    assert (kept.name, kept.address, kept.active) == ("Hall", SLACK, False)
    assert "Switched off" in text(root.get(CHANNELS))


def test_a_channel_of_all_plans_is_for_those_who_may_edit_all(person, browser, root, db):
    plan = plan_of(name="Payments")
    grant(person, PlanPermission.CHANGE, on=plan)
    assert "All plans" not in text(browser.get(f"{CHANNELS}add/"))
    assert browser.post(f"{CHANNELS}add/", typed(plan) | {"plan": "all"}).status_code == 200
    assert not NoticeChannel.objects.exists()
    assert browser.post(f"{CHANNELS}add/", typed(plan_of())).status_code == 200, "not their plan"
    assert not NoticeChannel.objects.exists()
    assert root.post(f"{CHANNELS}add/", typed(plan) | {"plan": "all"}).status_code == 302
    every = NoticeChannel.objects.get()
    assert every.plan is None
    assert browser.get(f"{CHANNELS}{every.pk}/change/").status_code == 404
    assert browser.post(f"{CHANNELS}add/", typed(plan)).status_code == 302


@pytest.mark.parametrize("page", ["edit", "delete", "test"])
def test_seeing_a_channel_is_not_changing_it(person, browser, channel, page):
    link = f"{CHANNELS}{channel.pk}"
    assert browser.get(f"{link}/change/").status_code == 404
    grant(person, PlanPermission.VIEW, on=channel.plan)
    assert browser.get(f"{link}/change/").status_code == 200
    for method in (browser.get, browser.post):
        assert method(f"{link}/{page}/", {"typed": "Room", "name": "x"}).status_code == 403
    assert not Delivery.objects.exists()
    kept = NoticeChannel.objects.get()
    assert (kept.name, kept.address) == ("Room", SLACK)


def test_a_test_message_is_asked_for_and_logged(root, channel):
    link = f"{CHANNELS}{channel.pk}"
    assert f"{link}/test/" in text(root.get(f"{link}/change/"))
    assert "Slack [masked]" in text(root.get(f"{link}/test/"))
    assert not Delivery.objects.exists()
    assert root.post(f"{link}/test/").status_code == 302
    assert Delivery.objects.get().notice.kind == "TEST"
    assert "recovery.notice_channel.tested" in recorded()
    assert "Test of a channel" in text(root.get(LOG))


def test_a_channel_is_deleted_by_name(root, channel):
    assert root.post(f"{CHANNELS}{channel.pk}/delete/", {"typed": "Room"}).status_code == 302
    assert not NoticeChannel.objects.exists()


def test_one_chooses_for_oneself(person, browser, db):
    assert browser.get(MINE).status_code in {403, 404}, "who sees no plan is told nothing"
    person.email = "ann@example.com"
    person.save()
    grant(person, PlanPermission.VIEW, on=plan_of())
    assert "never" in text(browser.get(MINE))
    assert not NoticePreference.objects.exists()
    link = f"{MINE}{person.pk}/edit/"
    assert browser.get(link).status_code == 200
    assert browser.post(link, {"kinds": ["ENDED", "WAITING"]}).status_code == 302
    assert NoticePreference.objects.get(person=person).kinds == ["ENDED", "WAITING"]
    said = text(browser.get(MINE))
    assert "ann@example.com" in said
    assert "An execution ended" in said
    assert browser.post(link, {}).status_code == 302
    assert NoticePreference.objects.get(person=person).kinds == []


def test_without_an_address_nothing_can_be_chosen(person, browser, db):
    grant(person, PlanPermission.VIEW, on=plan_of())
    answer = browser.post(f"{MINE}{person.pk}/edit/", {"kinds": ["ENDED"]})
    assert "There is no e-mail address" in text(answer)
    assert not NoticePreference.objects.exists()


def test_nobody_chooses_for_others(person, browser, superuser, db):
    grant(person, PlanPermission.VIEW, on=plan_of())
    NoticePreference.objects.create(person=superuser, kinds=["ENDED"])
    for page in ("change", "edit"):
        assert browser.get(f"{MINE}{superuser.pk}/{page}/").status_code == 404
    assert browser.post(f"{MINE}{superuser.pk}/edit/", {}).status_code == 404
    grant(person, "auth.view_user")
    assert browser.get(f"{MINE}{superuser.pk}/change/").status_code == 200
    assert browser.post(f"{MINE}{superuser.pk}/edit/", {}).status_code == 403
    assert NoticePreference.objects.get().kinds == ["ENDED"]
