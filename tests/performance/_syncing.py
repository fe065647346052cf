"""The process that `sync` measures: it lists, syncs and counts, and prints one JSON object."""

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import mean
from typing import Any

import django
from django.db import connection

from tests.performance._figures import figure, figures

TARGETS = {"first": 2.5, "unchanged": 1.3, "changed": 1.4}
CALLS = 1.02
MEMORY = 300  # MB
THREADS = 8  # as many as the sync's
_TABLES = ("protection_sourceserver", "mirror_outboxentry")


class Bench:
    """Sync and loop over the world that `tests.performance.sync` has made."""

    def __init__(self, control: Any) -> None:
        from protection.models import AccountRegion

        self._control = control
        rows = AccountRegion.objects.select_related("account")
        self.scopes = [row.account.scope(row.region) for row in rows]

    def loop(self) -> float:
        """List everything, keep nothing; seconds."""

        def one(scope: Any) -> int:
            from drportal.aws.session import Use, client

            reader = client("drs", Use.READ, scope).get_paginator("describe_source_servers")
            return sum(len(page["items"]) for page in reader.paginate())

        started = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            servers = sum(pool.map(one, self.scopes))
        taken = time.perf_counter() - started
        must(servers == 4000, f"the loop saw {servers} servers")
        return taken

    def sync(self) -> tuple[float, Any]:
        """Seconds, and the run."""
        from drportal.actor import PORTAL
        from protection.services import inventory

        started = time.perf_counter()
        run = inventory.sync(actor=PORTAL)
        taken = time.perf_counter() - started
        must(run.state == "COMPLETED" and run.seen == 4000, f"the sync ended {run.state}")
        return taken, run

    def calls(self, act: Callable[[], Any]) -> tuple[Any, int]:
        """What `act` returned, and how often it called AWS."""
        before = self._control.state()["calls"]
        found = act()
        return found, self._control.state()["calls"] - before

    def change(self, share: float, lag: int) -> None:
        """Let a share of the servers report another lag."""
        from protection.models import SourceServer

        chosen = SourceServer.objects.order_by("server_id")[: int(4000 * share)]
        for server in chosen.select_related("account"):
            self._control.set_replication(
                account=server.account.account_id,
                region=server.region,
                server=server.server_id,
                state="BACKLOG",
                lagSeconds=lag,
            )
        # A lag grows with time, and this measures what changed, not what is about to.
        self._control.set_speed(0.001)


def must(held: bool, otherwise: str) -> None:  # as an assertion that stays
    if not held:
        raise SystemExit(otherwise)


def written() -> set[tuple[str, str, str]]:
    """Every version of every row of what is known and mirrored; records of the audit apart."""
    found = set()
    with connection.cursor() as cursor:
        for table in _TABLES:
            where = "WHERE kind <> 'AuditLogs'" if table == "mirror_outboxentry" else ""
            cursor.execute(f"SELECT id::text, xmin::text FROM {table} {where}")  # noqa: S608  # ours
            found |= {(table, *row) for row in cursor.fetchall()}
    return found


def forget() -> None:
    """As if nothing had been listed yet."""
    from protection.models import AccountRegion, SourceServer

    SourceServer.objects.all().delete()
    AccountRegion.objects.update(status="UNKNOWN", server_count=None, listed_at=None)


def tidy(number: int) -> None:
    """What autovacuum does within minutes, where rows were forgotten over and over before."""
    if number == 0:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) protection_sourceserver")


def measured(
    bench: Bench, name: str, repeats: int, prepare: Callable[[int], None], regions: int = 0
) -> Any:
    """`regions` is how many Regions' own mirror items change with the servers."""
    syncs, loops, extra, rows, changed = [], [], [], [], 0
    for number in range(repeats):
        prepare(number)
        first, calls = bench.calls(bench.loop)
        before = written()
        (taken, run), asked = bench.calls(bench.sync)
        rows.append(len(written() - before))
        second = bench.loop()
        loops += [first, second]
        syncs.append(taken)
        extra.append(asked / calls)
        changed = run.added + run.changed
    return {
        # Of all the time of either: single ones vary by a half, with what else runs on the cores.
        "ratio": figure(round(mean(syncs) / mean(loops), 3), TARGETS[name]),
        "calls": figure(round(max(extra), 4), CALLS),
        "sync_seconds": [round(each, 3) for each in syncs],
        "loop_seconds": [round(each, 3) for each in loops],
        "rows_and_outbox_entries_written": figure(max(rows), 2 * changed + regions),
        "servers_written": changed,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=25)
    repeats = parser.parse_args().repeats
    django.setup()
    register()
    from drportal.simulator.control import Control

    control = Control(os.environ["AWS_ENDPOINT_URL"])
    control.set_speed(0.001)
    bench = Bench(control)
    bench.loop()  # clients are made and roles assumed before anything is timed
    # To look through all that Django and boto hold takes the collector a sixth of a second, and
    # would fall on a loop or a sync by chance. What a sync itself holds is still collected.
    gc.collect()
    gc.freeze()
    answer = {
        "first": measured(bench, "first", repeats, lambda _: forget(), regions=len(bench.scopes)),
        "unchanged": measured(bench, "unchanged", repeats, tidy),
        "changed": measured(bench, "changed", repeats, lambda n: bench.change(0.01, 60 + n)),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    answer["peak_memory_mb"] = figure(peak, MEMORY)
    answer["ok"] = all(each["ok"] for each in figures(answer))
    sys.stdout.write(json.dumps(answer) + "\n")


def register() -> None:
    from drportal.actor import PORTAL
    from protection.services import accounts
    from tests.performance.sync import ACCOUNTS, EXTERNAL_ID, HUB, role

    for number, account in enumerate(ACCOUNTS):
        hub = account == HUB
        accounts.register(
            account_id=account,
            name=f"account {number}",
            is_hub=hub,
            role_arn="" if hub else role(account),
            external_id="" if hub else EXTERNAL_ID,
            actor=PORTAL,
        )


if __name__ == "__main__":
    main()
