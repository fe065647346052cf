"""System checks: settings that contradict each other, though each is a fit value by itself."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")


def register_checks() -> None:
    """Make `manage.py check` ask these. The last only with `--deploy`."""
    register(polling, Tags.compatibility)
    register(launching, Tags.compatibility)
    register(regions, Tags.compatibility)
    register(broker, Tags.compatibility)
    register(mail, Tags.compatibility)
    register(real_aws, Tags.security, deploy=True)


def polling(**_: Any) -> list[CheckMessage]:
    """The pace of polling has a fast end and a slow end, in that order."""
    fastest, slowest = settings.POLL_FASTEST_SECONDS, settings.POLL_SLOWEST_SECONDS
    if fastest <= slowest:
        return []
    return [
        Error(
            f"POLL_FASTEST_SECONDS is {fastest:g}, slower than POLL_SLOWEST_SECONDS, {slowest:g}.",
            hint="Polling slows down from the one to the other.",
            id="drportal.E001",
        )
    ]


def launching(**_: Any) -> list[CheckMessage]:
    """A repeated StartRecovery never overtakes one that may still be on its way."""
    settle, lease = settings.LAUNCH_SETTLE_SECONDS, settings.LEASE_SECONDS
    if settle >= lease:
        return []
    return [
        Error(
            f"LAUNCH_SETTLE_SECONDS is {settle:g}, less than LEASE_SECONDS, {lease:g}.",
            hint=(
                "A worker that was held up for the length of its lease could still send a "
                "StartRecovery that another has already repeated. Let DRS settle for at least "
                "as long as a lease lasts."
            ),
            id="drportal.E002",
        )
    ]


def regions(**_: Any) -> list[CheckMessage]:
    """Every Region that is named has the form of one, and the named Regions are no two alike."""
    return list(_regions())


def _regions() -> Iterator[CheckMessage]:
    named: dict[str, Sequence[str]] = {
        "AWS_DEFAULT_REGION": [settings.AWS_DEFAULT_REGION],
        "MIRROR_REGION": [settings.MIRROR_REGION],
        "DRS_REGIONS": settings.DRS_REGIONS,
    }
    for setting, values in named.items():
        wrong = [value for value in values if not _REGION.fullmatch(value)]
        if wrong:
            yield Error(
                f"{setting} names {', '.join(map(repr, wrong))}: not the name of a Region.",
                hint="For example us-east-1.",
                id="drportal.E003",
            )


def broker(**_: Any) -> list[CheckMessage]:
    """The broker does not deliver a message again while a worker shuts down softly with it."""
    visible_after = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout", 3600)
    shutdown = settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT
    if visible_after > shutdown:
        return []
    return [
        Error(
            f"The broker's visibility_timeout, {visible_after:g} s, is not longer than "
            f"CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT, {shutdown:g} s.",
            hint="A task would be delivered again while its worker still finishes it.",
            id="drportal.E004",
        )
    ]


def mail(**_: Any) -> list[CheckMessage]:
    """The mail server is spoken to in one way."""
    if not (settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL):
        return []
    return [
        Error(
            "EMAIL_USE_TLS and EMAIL_USE_SSL are both set.",
            hint="The first is STARTTLS, mostly on port 587, the second TLS on port 465.",
            id="drportal.E005",
        )
    ]


def real_aws(**_: Any) -> list[CheckMessage]:
    """A deployment whose AWS is somewhere else says so."""
    if not settings.AWS_ENDPOINT_URL:
        return []
    return [
        checks.Warning(
            "AWS_ENDPOINT_URL is set: every service of AWS is asked there.",
            hint="Leave it empty where recoveries must reach AWS itself.",
            id="drportal.W001",
        )
    ]
