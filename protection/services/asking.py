"""Asking many accounts and Regions at once, while the database is used by one thread only."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from drportal.aws.regions import watched_regions
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from protection.models import AccountRegion, TargetAccount

Q = TypeVar("Q")
A = TypeVar("A")

_THREADS = 8
_OUTSTANDING = 3 * _THREADS  # answers that wait to be taken in are held in memory
_PATIENCE = 20  # seconds until whoever waits says again that it is alive


def due_regions() -> tuple[list[AccountRegion], int]:
    """The Regions of all active accounts to ask now, and how many are left for later.

    A Region without DRS is left until its `next_check_at`. Rows that are missing are made.
    """
    accounts = list(TargetAccount.objects.filter(active=True))
    wanted = {
        (account.pk, region)
        for account in accounts
        for region in watched_regions(account.partition)
    }
    rows = _rows(accounts)
    missing = wanted - {(row.account_id, row.region) for row in rows}
    if missing:
        AccountRegion.objects.bulk_create(
            [
                AccountRegion(account_id=pk, region=region)
                for pk, region in sorted(missing, key=str)
            ],
            ignore_conflicts=True,
        )
        rows = _rows(accounts)
    watched = [row for row in rows if (row.account_id, row.region) in wanted]
    now = timezone.now()
    due = [row for row in watched if row.next_check_at is None or row.next_check_at <= now]
    return due, len(watched) - len(due)


def _rows(accounts: Sequence[TargetAccount]) -> list[AccountRegion]:
    return list(AccountRegion.objects.filter(account__in=accounts).select_related("account"))


@reaches_outside
def ask_all(
    questions: Sequence[Q], ask: Callable[[Q], A], *, alive: Callable[[], None]
) -> Iterator[A]:
    """The answers of `ask` to each of `questions`, as they come.

    `ask` runs in threads and uses no database. `alive` is called between answers, and while none
    comes. Whatever it or `ask` raises ends the asking.
    """
    work = correlation_id()
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="asking")
    left = iter(questions)
    waiting: set[Future[A]] = set()
    try:
        while True:
            for question in islice(left, _OUTSTANDING - len(waiting)):
                waiting.add(pool.submit(_one, ask, question, work))
            if not waiting:
                return
            done, waiting = wait(waiting, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            alive()
            for answered in done:
                yield answered.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _one(ask: Callable[[Q], Any], question: Q, work: str) -> Any:
    with correlated(work):
        try:
            return ask(question)
        finally:
            connection.close()
