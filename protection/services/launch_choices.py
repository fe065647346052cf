"""What a person may choose from in a form of launch settings: asked of AWS, and kept for a while.

Only a help to whoever types: what is saved is checked by itself. What AWS did not answer is said,
and then the form takes free text all the same.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from drportal.aws.errors import AwsError
from drportal.aws.instance_profiles import InstanceProfiles
from drportal.aws.instance_types import InstanceTypes
from drportal.aws.network import Network
from drportal.aws.scope import Scope
from drportal.transactions import reaches_outside
from protection.services.launch_validation import IN_A_REQUEST

_KEPT = 300  # seconds
_Options = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Choices:
    """Values with their labels, by the name of the setting; `problems` says what is missing."""

    options: dict[str, _Options]
    problems: tuple[str, ...]
    asked_at: datetime


@reaches_outside
def choices_in(scope: Scope) -> Choices:
    """The choices of one account and Region: from the cache, if that has them all."""
    key = f"launch-choices:{scope.account_id}:{scope.region}"
    known: Choices | None = cache.get(key)
    if known is not None:
        return known
    found = _ask(scope)
    if not found.problems:
        cache.set(key, found, _KEPT)
    return found


def _ask(scope: Scope) -> Choices:
    asks: dict[str, Callable[[], _Options]] = {
        "subnetId": lambda: _subnets(scope),
        "securityGroupIds": lambda: _groups(scope),
        "instanceProfileName": lambda: [(p.name, p.name) for p in InstanceProfiles(scope).all()],
        "instanceType": lambda: [(t, t) for t in sorted(InstanceTypes(scope).offered())],
    }
    ends = time.monotonic() + IN_A_REQUEST
    options: dict[str, _Options] = {}
    problems = []
    pool = ThreadPoolExecutor(len(asks), thread_name_prefix="launch-choices")
    try:
        asked = {name: pool.submit(_closing, ask) for name, ask in asks.items()}
        for name, answered in asked.items():
            try:
                options[name] = answered.result(max(0.0, ends - time.monotonic()))
            except AwsError as error:
                problems.append(f"{name}: {error.detail}")
            except NotInTime:
                problems.append(f"{name}: AWS did not answer within {IN_A_REQUEST:g} seconds.")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return Choices(options, tuple(problems), timezone.now())


def _closing(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    finally:
        connection.close()


def _subnets(scope: Scope) -> _Options:
    return [
        (subnet.subnet_id, f"{subnet.name or 'no name'}, {subnet.cidr}, {subnet.availability_zone}")
        for subnet in Network(scope).subnets()
    ]


def _groups(scope: Scope) -> _Options:
    return [
        (group.group_id, f"{group.name} in {group.vpc_id}")
        for group in Network(scope).security_groups()
    ]
