"""One id ties a request, its tasks and its AWS calls together; log lines are JSON objects."""

import json
import logging
import logging.config
import re
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from drportal.masking import MASK, MaskingFilter
from drportal.middleware import CorrelationMiddleware
from drportal.observability import JsonFormatter, checkpoint, correlated, correlation_id

FIT = ["12345678", "a" * 64, "Drill_2026-01.x", "0e0cfe0a6f4b4d8d9a9a0d5c1d5a7e11"]
UNFIT = [
    *("", "1234567", "a" * 65, "has space", "line\nbreak", "new-line\n", "ünïcödë-id", "a;b;c;d;e"),
    *("../../etc", "x" * 9000, "{${jndi}}abc"),
]
MADE = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("wanted", FIT)
def test_a_fit_id_is_taken(wanted: str) -> None:
    with correlated(wanted) as chosen:
        assert chosen == correlation_id() == wanted


@pytest.mark.parametrize("wanted", [None, *UNFIT])
def test_an_unfit_id_is_replaced(wanted: str | None) -> None:
    with correlated(wanted) as chosen:
        assert MADE.fullmatch(chosen)
        assert chosen == correlation_id()


def test_every_piece_of_work_gets_an_id_of_its_own() -> None:
    with correlated() as first:
        pass
    with correlated() as second:
        assert first != second


def test_work_inside_work_gives_the_outer_id_back() -> None:
    assert correlation_id() == ""
    with correlated("outer-work"):
        with pytest.raises(KeyError), correlated("inner-work"):
            raise KeyError
        assert correlation_id() == "outer-work"
    assert correlation_id() == ""


def test_another_thread_has_no_part_in_it() -> None:
    seen = []
    with correlated("this-thread"):
        other = threading.Thread(target=lambda: seen.append(correlation_id()))
        other.start()
        other.join()
    assert seen == [""]


def _record(message: str = "hello %s", *args: Any, **extra: Any) -> logging.LogRecord:
    logger = logging.getLogger("drportal.probe")
    exc_info = extra.pop("exc_info", None)
    return logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, args or ("you",), exc_info, extra=extra
    )


def _line(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_says_when_how_bad_who_and_what() -> None:
    record = _record()
    line = _line(record)
    at = datetime.fromisoformat(line.pop("at"))
    assert at.utcoffset() == timedelta(0)
    assert abs(at.timestamp() - record.created) < 0.001
    assert line == {"level": "WARNING", "logger": "drportal.probe", "message": "hello you"}


def test_a_line_carries_the_id_of_the_work() -> None:
    with correlated("some-work"):
        assert _line(_record())["correlation_id"] == "some-work"


def test_extras_become_members_whatever_they_are() -> None:
    line = _line(_record(execution_id="e-1", servers=3, took=timedelta(seconds=2), of={"a": [1]}))
    assert (line["execution_id"], line["servers"]) == ("e-1", 3)
    assert (line["took"], line["of"]) == ("0:00:02", {"a": [1]})


def test_extras_do_not_pass_for_what_the_line_says_itself() -> None:
    line = _line(_record(level="DEBUG", logger="somebody.else"))
    assert (line["level"], line["logger"]) == ("WARNING", "drportal.probe")


def _raised(message: str) -> Any:
    try:
        raise LookupError(message)
    except LookupError:
        return sys.exc_info()


def test_an_exception_comes_with_its_traceback() -> None:
    text = _line(_record(exc_info=_raised("no such plan")))["exception"]
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("LookupError: no such plan")


@pytest.fixture
def written() -> Iterator[Any]:
    """The portal's own handler and filter; what it writes goes into a list."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(JsonFormatter().format(record))  # type: ignore[method-assign]  # the plain way
    handler.addFilter(MaskingFilter())
    logger = logging.getLogger("drportal.probe.masked")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, lines
    logger.removeHandler(handler)
    logger.propagate = True


def test_a_secret_reaches_no_line(written) -> None:
    logger, lines = written
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    try:
        raise LookupError(f"password=hunter2hunter2 and {key}")
    except LookupError:
        logger.exception("token: %s", "s3cr3t-s3cr3t", extra={"external_id": "word", "key": key})
    [text] = lines
    for secret in ("hunter2", key, "s3cr3t", '"word"'):
        assert secret not in text
    line = json.loads(text)
    assert (line["external_id"], line["key"]) == (MASK, MASK)
    assert line["exception"].startswith("Traceback")


def test_the_settings_log_json_through_the_mask() -> None:
    handler = settings.LOGGING["handlers"]["stderr"]
    assert handler["filters"] == ["masked"]
    made = logging.config.DictConfigurator(settings.LOGGING)
    assert isinstance(made.configure_filter(settings.LOGGING["filters"]["masked"]), MaskingFilter)
    assert isinstance(
        made.configure_formatter(settings.LOGGING["formatters"]["json"]), JsonFormatter
    )


def test_a_checkpoint_is_told_to_who_listens(caplog) -> None:
    with caplog.at_level(logging.DEBUG, logger="drportal.checkpoint"):
        checkpoint("step.done", execution_id="e-1")
    [record] = caplog.records
    assert record.getMessage() == "step.done"
    assert (record.checkpoint, record.execution_id) == ("step.done", "e-1")


def _through(**headers: str) -> tuple[str, HttpResponse]:
    seen = []

    def view(_: HttpRequest) -> HttpResponse:
        seen.append(correlation_id())
        return HttpResponse("done")

    response = CorrelationMiddleware(view)(RequestFactory().get("/", headers=headers))
    assert correlation_id() == ""
    return seen[0], response


@pytest.mark.parametrize("wanted", FIT)
def test_a_request_keeps_the_callers_fit_id(wanted: str) -> None:
    inside, response = _through(**{"X-Correlation-Id": wanted})
    assert inside == response["X-Correlation-Id"] == wanted


@pytest.mark.parametrize("wanted", [each for each in UNFIT if "\n" not in each])
def test_a_request_gets_a_new_id_for_an_unfit_one(wanted: str) -> None:
    inside, response = _through(**{"X-Correlation-Id": wanted})
    assert MADE.fullmatch(inside)
    assert response["X-Correlation-Id"] == inside


def test_a_request_without_an_id_gets_one() -> None:
    inside, response = _through()
    assert MADE.fullmatch(inside)
    assert response["X-Correlation-Id"] == inside


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/no/such/page", "/api/v1/plans/"])
def test_every_answer_says_its_id(client, path: str) -> None:
    response = client.get(path, headers={"X-Correlation-Id": "asked-by-a-test"})
    assert response["X-Correlation-Id"] == "asked-by-a-test"
