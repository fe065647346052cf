"""Who is answerable for a change."""

import dataclasses

import pytest

from drportal.actor import PORTAL, SCHEDULE, Actor, ActorKind, Door
from tests.factories.users import UserFactory


@pytest.mark.django_db
def test_a_person_is_named_and_found_again() -> None:
    user = UserFactory.create(username="olivia")
    actor = Actor.of(user, door=Door.ADMIN)
    assert actor == Actor(ActorKind.PERSON, "olivia", Door.ADMIN, user_id=user.pk)


def test_the_portal_and_the_schedule_are_nobodys_account() -> None:
    assert (PORTAL.kind, PORTAL.door, PORTAL.user_id) == (ActorKind.PORTAL, Door.SYSTEM, None)
    assert (SCHEDULE.kind, SCHEDULE.door) == (ActorKind.SCHEDULE, Door.SCHEDULED)
    assert SCHEDULE.user_id is None


def test_an_actor_does_not_become_another() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PORTAL.name = "somebody"  # type: ignore[misc]  # that it is refused is what is tested
