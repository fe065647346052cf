"""Notice channels survive the loss of the portal, their secrets do not."""

import pytest

from drportal.mirror import services
from drportal.mirror.selectors import not_given_back
from recovery.models import Delivery, NoticeChannel
from recovery.services import deliveries, notice_channels, plans
from tests.factories.recovery import plan_of
from tests.mirror.emptying import everything_told, lose_everything
from tests.mirror.store import both_sides_equal, drain_all
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"
TOPIC = "arn:aws:sns:us-east-1:123456789012:dr"


@pytest.fixture
def room(store):
    plan = plan_of()
    made = notice_channels.add(
        plan=plan, name="Room", medium="SERVICE", address=SLACK, kinds=["ENDED"], actor=PERSON
    )
    notice_channels.add(
        plan=None, name="Topic", medium="TOPIC", address=TOPIC, kinds=["WAITING"], actor=PERSON
    )
    services.resync()
    drain_all()
    both_sides_equal()
    return made


def test_channels_are_restored_without_their_secrets_and_say_so(store, room):
    assert SECRET not in str(store.held("NoticeChannels"))
    before = everything_told()
    lose_everything()
    services.restore(take_over=True)
    assert everything_told() == before
    restored = NoticeChannel.objects.get(name="Room")
    assert (restored.address, restored.address_lost, restored.kinds) == ("", True, ["ENDED"])
    assert NoticeChannel.objects.get(name="Topic").address == TOPIC
    assert "1 notice channels" in " ".join(not_given_back())

    notice_channels.test(restored, actor=PERSON)
    deliveries.send_due()
    assert "enter it again" in Delivery.objects.get().last_error

    notice_channels.edit(
        restored, name="Room", kinds=["ENDED"], active=True, address=SLACK, actor=PERSON
    )
    assert not [said for said in not_given_back() if "channel" in said]
    drain_all()
    both_sides_equal()


def test_a_channel_that_is_removed_goes_and_so_do_those_of_a_plan_that_is_deleted(store, room):
    other = notice_channels.add(
        plan=room.plan, name="Hall", medium="SERVICE", address=SLACK, kinds=[], actor=PERSON
    )
    drain_all()
    notice_channels.remove(other, actor=PERSON)
    drain_all()
    assert len(store.held("NoticeChannels")) == 2
    plans.delete(room.plan, actor=PERSON)
    drain_all()
    both_sides_equal()
    assert [item["name"] for item in store.held("NoticeChannels").values()] == ["Topic"]
