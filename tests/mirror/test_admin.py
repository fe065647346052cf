import pytest
from django.utils import timezone

from drportal.mirror.models import OutboxEntry
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
