from collections.abc import Iterator

import pytest

from tests.notify.servers import MailServer, Webhook, mail_server, webhook
from tests.world_fixtures import aws, driver

__all__ = ["aws", "driver"]


@pytest.fixture
def post(settings) -> Iterator[MailServer]:
    """A mail server that the portal sends by."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with mail_server() as found:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", found.port
        settings.EMAIL_TIMEOUT = 5
        yield found


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found
