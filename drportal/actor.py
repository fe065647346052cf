"""Who does something, and by which door they came in."""

from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AbstractUser


class ActorKind(StrEnum):
    """What sort of principal it is."""

    PERSON = "PERSON"
    API_CLIENT = "API_CLIENT"
    AWS_PRINCIPAL = "AWS_PRINCIPAL"
    SCHEDULE = "SCHEDULE"
    PORTAL = "PORTAL"


class Door(StrEnum):
    """How the request came in."""

    API = "API"
    ADMIN = "ADMIN"
    DIRECT = "DIRECT"
    SCHEDULED = "SCHEDULED"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who is answerable for a change. Every service takes one as its last argument."""

    kind: ActorKind
    name: str
    door: Door
    user_id: int | None = None

    @classmethod
    def of(cls, user: AbstractUser, *, door: Door) -> "Actor":
        """The person behind `user`, who came in by `door`."""
        return cls(kind=ActorKind.PERSON, name=user.get_username(), door=door, user_id=int(user.pk))


PORTAL = Actor(kind=ActorKind.PORTAL, name="portal", door=Door.SYSTEM)
SCHEDULE = Actor(kind=ActorKind.SCHEDULE, name="schedule", door=Door.SCHEDULED)
