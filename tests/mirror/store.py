"""DynamoDB as the tests see it, and what they can make it do."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import time_machine
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from drportal.aws.dynamodb import DynamoTables, Item
from drportal.aws.session import Use, client
from drportal.mirror import services
from drportal.mirror.leases import LEASE, LONGEST_DELAY
from drportal.mirror.models import OutboxEntry
from drportal.mirror.ownership import portal_table
from drportal.mirror.packing import unpacked
from drportal.mirror.projections import DELETED, all_projections, projection_of


class Store:
    """The tables in memory. `calls` counts the write operations that reached them."""

    def __init__(self) -> None:
        self.tables = DynamoTables.of_hub(settings.MIRROR_REGION)
        self.calls: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.before: Callable[[str, dict[str, Any]], None] | None = None
        self.after: Callable[[str, dict[str, Any]], None] | None = None
        self.client = client("dynamodb", Use.WRITE, self.tables._scope)
        self.tables.create(portal_table())
        for projection in all_projections():
            self.tables.create(projection.table())
        self.client.meta.events.register("before-call.dynamodb", self._before)
        self.client.meta.events.register("after-call.dynamodb", self._after)

    def close(self) -> None:
        """The client is shared and outlives the test: leave it as it was."""
        self.client.meta.events.unregister("before-call.dynamodb", self._before)
        self.client.meta.events.unregister("after-call.dynamodb", self._after)

    def _before(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        body = json.loads(params["body"])
        if self.before:
            self.before(model.name, body)
        params["body"] = json.dumps(body).encode()
        self.calls[model.name] += 1
        self.bodies.append(body)

    def _after(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if self.after:
            self.after(model.name, parsed)

    def held(self, kind: str) -> dict[str, Item]:
        """What the table says, by key; what stands for a deleted object is left out."""
        projection = projection_of(kind)
        return {
            item[projection.key]: unpacked(item)
            for item in self.tables.items(projection.table())
            if not item.get(DELETED)
        }

    def all_items(self, kind: str) -> list[Item]:
        return list(self.tables.items(projection_of(kind).table()))


def unreachable(*_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com")


def answer_lost(*_: Any) -> None:
    raise ReadTimeoutError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com")


def refused(code: str, status: int = 400) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "", "HostId": ""}
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata}
    return ClientError(response, "PutItem")


def mark(kind: str, *object_ids: Any) -> None:
    with transaction.atomic():
        services.mark(kind, *object_ids)


def drain_all() -> None:
    """Drain until nothing waits, however long some of it was put off."""
    for _ in range(20):
        services.drain()
        if not OutboxEntry.objects.exists():
            return
        with time_machine.travel(timezone.now() + LONGEST_DELAY + LEASE):
            services.drain()
    raise AssertionError(list(OutboxEntry.objects.values()))


def both_sides_equal(*kinds: str) -> None:
    """Nothing waits, and nothing differs in the tables of `kinds`, or in any."""
    found = services.verify()
    assert found.behind == 0
    assert [d for d in found.differences if not kinds or d.kind in kinds] == []


@contextmanager
def once_at(checkpoint: str, then: Callable[[], None]) -> Iterator[None]:
    """Do `then` the first time that the work inside passes `checkpoint`."""
    logger = logging.getLogger("drportal.checkpoint")
    todo = [then]

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == checkpoint and todo:
                todo.pop()()

    listener, level = Listener(), logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
    assert not todo, f"{checkpoint} was not passed"
