"""A message, and why a channel did not take it."""

from dataclasses import dataclass
from enum import StrEnum

from drportal.errors import DomainError, Kind


class Urgency(StrEnum):
    """How much a message matters, for services that colour it."""

    INFO = "info"
    GOOD = "success"
    WARNING = "warning"
    BAD = "failure"


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text. `key` is the same each time that the message is sent: by mail it travels as the
    Message-ID, by which readers can tell that one arrived twice.
    """

    key: str
    subject: str
    body: str
    urgency: Urgency = Urgency.INFO

    @property
    def one_line_subject(self) -> str:
        """The subject without what would break a header."""
        return " ".join(self.subject.split())


class ChannelFailed(DomainError):
    """A channel did not take a message, or may have and did not say so.

    `away` says that the way itself is broken: nothing else would get through there now either.
    """

    code = "notify.channel_failed"
    kind = Kind.UNAVAILABLE

    def __init__(self, detail: str, *, away: bool = False) -> None:
        super().__init__(detail, away=away)

    @property
    def away(self) -> bool:
        return bool(self.context["away"])
