"""What ties a request, its tasks and its AWS calls together in the logs."""

import json
import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
_SAFE = re.compile(r"[A-Za-z0-9._-]{8,64}")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_checkpoints = logging.getLogger("drportal.checkpoint")


def correlation_id() -> str:
    """The id of the piece of work that is under way here, or an empty string."""
    return _correlation_id.get()


@contextmanager
def correlated(wanted: str | None = None) -> Iterator[str]:
    """Everything inside belongs to one piece of work: `wanted` if it is a fit id, else a new one.

    A fit id is 8 to 64 letters, digits, dots, hyphens and underscores: it goes into logs and
    headers as it is.
    """
    chosen = wanted if wanted and _SAFE.fullmatch(wanted) else uuid.uuid4().hex
    token = _correlation_id.set(chosen)
    try:
        yield chosen
    finally:
        _correlation_id.reset(token)


def checkpoint(name: str, **facts: Any) -> None:
    """Log that the work passed a point where dying must do no harm.

    The names are those of the kill-point suite, which listens to this logger.
    """
    _checkpoints.debug(name, extra={"checkpoint": name, **facts})


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, correlation id, exception,
    and the extras that are not called like one of these.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if correlation_id():
            line["correlation_id"] = correlation_id()
        if record.exc_info:
            # A filter may have masked the text of it already.
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        extras = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        return json.dumps(line | {**extras, **line}, default=str)
