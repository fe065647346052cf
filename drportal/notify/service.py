"""Webhooks, Slack, Teams and the like, through apprise. Their addresses hold secrets.

Nothing here lets out more of an address than which service it is and, where that is no secret,
on which host. What apprise logs is not written anywhere: it may name paths that are secrets.
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from apprise import Apprise, NotifyFormat, NotifyType

from drportal.errors import InvalidInput
from drportal.masking import MASK
from drportal.notify.message import ChannelFailed, Message, Urgency
from drportal.transactions import reaches_outside

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
WHOLE_SECONDS: Final = 20.0  # however slowly an answer trickles in


@dataclass(frozen=True, slots=True)
class _Known:
    """A service that messages may go to; `host_shown` if its host is no part of the secret."""

    name: str
    host_shown: bool = False


# The rest of what apprise knows is left out: it writes to this machine, sends mail past our own,
# or nobody has asked for it.
_KNOWN: Final = {
    "json": _Known("Webhook, JSON, without TLS", host_shown=True),
    "jsons": _Known("Webhook, JSON", host_shown=True),
    "form": _Known("Webhook, form, without TLS", host_shown=True),
    "forms": _Known("Webhook, form", host_shown=True),
    "xml": _Known("Webhook, XML, without TLS", host_shown=True),
    "xmls": _Known("Webhook, XML", host_shown=True),
    "slack": _Known("Slack"),
    "workflow": _Known("Microsoft Teams", host_shown=True),
    "discord": _Known("Discord"),
    "gchat": _Known("Google Chat"),
    "mmost": _Known("Mattermost, without TLS", host_shown=True),
    "mmosts": _Known("Mattermost", host_shown=True),
    "rocket": _Known("Rocket.Chat, without TLS", host_shown=True),
    "rockets": _Known("Rocket.Chat", host_shown=True),
    "wxteams": _Known("Webex"),
    "opsgenie": _Known("Opsgenie"),
    "pagerduty": _Known("PagerDuty"),
}
_TYPES: Final = {
    Urgency.INFO: NotifyType.INFO,
    Urgency.GOOD: NotifyType.SUCCESS,
    Urgency.WARNING: NotifyType.WARNING,
    Urgency.BAD: NotifyType.FAILURE,
}
_STATUS = re.compile(r"error=(\d{3})\b")


def masked(address: str) -> str:
    """The service that an address is of, and nothing secret. Raises InvalidInput if the portal
    does not send to such an address.
    """
    parts, known = _read(address)[1:]
    host = f" at {parts.hostname}" if known.host_shown and parts.hostname else ""
    return f"{known.name}{host} {MASK}"


@reaches_outside
def send(address: str, message: Message) -> None:
    """Send to a service. Raises ChannelFailed."""
    try:
        plugin = _read(address)[0]
    except InvalidInput as error:
        raise ChannelFailed(error.detail, away=True) from None
    statuses: list[str] = []
    try:
        taken = _told(plugin, message, statuses)
    except Exception as error:  # noqa: BLE001  # its words may hold the address
        raise ChannelFailed(f"Sending failed ({type(error).__name__}).", away=True) from None
    if not taken:
        raise _refused(statuses)


def _told(plugin: Any, message: Message, statuses: list[str]) -> bool:
    def listen(entry: Any, _service: Any) -> None:
        # Of what apprise has to say, only the service's status can hold no secret.
        statuses.extend(_STATUS.findall(entry.message))

    # No retries and no redirects of its own: we retry, and a redirect may lead anywhere.
    plugin.retry, plugin.redirects = 0, False
    plugin.socket_connect_timeout, plugin.socket_read_timeout = CONNECT_SECONDS, ANSWER_SECONDS
    outlet = Apprise()
    outlet.add(plugin)
    return bool(
        outlet.notify(
            title=message.one_line_subject,
            body=message.body,
            notify_type=_TYPES[message.urgency],
            body_format=NotifyFormat.TEXT,
            timeout=WHOLE_SECONDS,
            log_callback=listen,
        )
    )


def _refused(statuses: list[str]) -> ChannelFailed:
    if statuses:
        return ChannelFailed(f"The service did not take it: HTTP {statuses[-1]}.", away=True)
    return ChannelFailed("The service cannot be reached, or did not answer in time.", away=True)


def _read(address: str) -> tuple[Any, Any, _Known]:
    """What apprise makes of an address, its parts, and which service it is."""
    plugin: Any = Apprise.instantiate(address)
    if plugin is None:
        raise InvalidInput.field(
            "address",
            "not_understood",
            "This is no address of a service that the portal can send to. For a webhook it is "
            "written jsons://HOST/PATH; for Slack and Teams it may be the webhook's own https "
            "address.",
        )
    parts = urlsplit(plugin.url(privacy=True))
    known = _KNOWN.get(parts.scheme)
    if known is None:
        names = ", ".join(sorted({found.name.split(",")[0] for found in _KNOWN.values()}))
        raise InvalidInput.field(
            "address", "not_supported", f"The portal does not send there, but to: {names}."
        )
    return plugin, parts, known
