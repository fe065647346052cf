"""Mail, through the SMTP server that the settings name."""

import smtplib
import ssl

from django.conf import settings
from django.core.mail import EmailMessage

from drportal.notify.message import ChannelFailed, Message
from drportal.transactions import reaches_outside

# What a server says in its own words may quote what it was sent; so only its number is told.
_WORDS: tuple[tuple[type[Exception], str, bool], ...] = (
    (smtplib.SMTPRecipientsRefused, "The mail server refuses this address", False),
    (smtplib.SMTPSenderRefused, "The mail server refuses the portal's own address", True),
    (smtplib.SMTPAuthenticationError, "The mail server refuses the portal's log-in", True),
    (smtplib.SMTPNotSupportedError, "The mail server cannot do what the settings ask of it", True),
    (smtplib.SMTPConnectError, "The mail server did not let the portal in", True),
    # Also what smtplib makes of an answer that does not come in time.
    (smtplib.SMTPServerDisconnected, "The mail server broke off, or did not answer in time", True),
    (smtplib.SMTPResponseException, "The mail server did not take the message", False),
    (smtplib.SMTPException, "The mail server did not take the message", False),
    (ssl.SSLError, "No trusted connection to the mail server came about", True),
    (TimeoutError, "The mail server did not answer in time", True),
    (OSError, "The mail server cannot be reached", True),
)


@reaches_outside
def send(address: str, message: Message) -> None:
    """Send a mail to one address. Raises ChannelFailed."""
    if not settings.EMAIL_HOST:
        raise ChannelFailed("No mail server is set: see EMAIL_HOST.", away=True)
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    mail = EmailMessage(
        subject=message.one_line_subject,
        body=message.body,
        to=[address],
        # So that no out-of-office answer comes back.
        headers={"Message-ID": f"<{message.key}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except (smtplib.SMTPException, OSError) as error:
        raise _failed(error) from None
    except ValueError:
        raise ChannelFailed("This address cannot be written into a mail.") from None


def _failed(error: Exception) -> ChannelFailed:
    words, away = next((words, away) for kind, words, away in _WORDS if isinstance(error, kind))
    number = _number(error)
    return ChannelFailed(f"{words} ({number})." if number else f"{words}.", away=away)


def _number(error: Exception) -> int | None:
    """The server's reply code, if it gave one."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((code for code, _ in error.recipients.values()), None)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
