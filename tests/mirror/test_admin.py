from datetime import timedelta

import pytest
from django.utils import timezone

from drportal.mirror.models import Installation, OutboxEntry
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
LIST = "/admin/mirror/outboxentry/"


@pytest.fixture
def entry():
    now = timezone.now()
    return OutboxEntry.objects.create(
        kind="TargetAccounts",
        object_id="some-id",
        transaction=1,
        due_at=now,
        behind_since=now,
        attempts=3,
        last_error="throttled <b>",
    )


def test_who_may_see_it_reads_what_waits_and_why(client, entry):
    client.force_login(grant(UserFactory.create(is_staff=True), "mirror.view_outboxentry"))
    page = client.get(LIST).content.decode()
    assert "some-id" in page
    assert "Put off" in page
    page = client.get(f"{LIST}{entry.pk}/change/").content.decode()
    assert "throttled &lt;b&gt;" in page


def test_nobody_changes_it(client, entry):
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    for page in ("add/", f"{entry.pk}/edit/", f"{entry.pk}/delete/"):
        assert client.post(LIST + page).status_code == 403
    assert OutboxEntry.objects.count() == 1


def test_nobody_else_sees_it(client, entry):
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(LIST).status_code == 403


def banner(client):
    client.force_login(grant(UserFactory.create(is_staff=True), "mirror.view_outboxentry"))
    page = client.get(LIST).content.decode()
    return page[page.index("Standing of the mirror") : page.index("</section>")]


def test_how_the_mirror_does_as_a_whole(client, entry):
    OutboxEntry.objects.update(behind_since=timezone.now() - timedelta(minutes=61))
    said = banner(client)
    assert "Late" in said
    assert "1 h 1 min" in said
    assert "throttled &lt;b&gt;" in said
    assert "this portal has not sent anything yet" in said
    assert "never" in said  # compared


def test_up_to_date_and_compared(client):
    Installation.objects.create(held_at=timezone.now(), verified_at=timezone.now(), differences=0)
    said = banner(client)
    assert "Up to date" in said
    assert f"this portal, {Installation.objects.get().identity}" in said
    assert "0 differences" in said


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"differences": 3, "verified_at": timezone.now()}, "Differs"),
        ({"refused_at": timezone.now(), "holder": "somebody-else"}, "Another portal&#x27;s"),
    ],
)
def test_what_is_wrong_is_not_green(client, columns, word):
    Installation.objects.create(held_at=timezone.now(), **columns)
    said = banner(client)
    assert word in said
    assert "dr-good" not in said


def test_what_a_restore_could_not_give_back(client):
    TargetAccountFactory.create(external_id="", external_id_lost=True)
    assert "external ids of 1 target accounts must be entered again" in banner(client)
