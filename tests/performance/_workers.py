"""The process that lets real workers of `chaos` be killed, and prints one JSON object.

PostgreSQL stops and starts, in order or not, Redis is flushed, AWS throttles and loses answers.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGINT, SIGQUIT
from threading import Event
from typing import Any

import django
import redis

from drportal.embedded.places import runtime_directory
from drportal.embedded.postgres import FAST, Postgres, start_postgres
from drportal.simulator.control import Control
from drportal.simulator.faults import Kind
from tests.performance._reaper import read

ACCOUNTS = ("210000000001", "210000000002")
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    *("eu-west-1", "eu-west-2", "eu-central-1", "ca-central-1"),
)
PLACES = [(account, region) for account in ACCOUNTS for region in REGIONS]
ROUNDS, SPEED, LIKELY = 8, 200, 0.03
OUTAGE = (5.0, 20.0)  # seconds between two stops of PostgreSQL
FLUSH = (7.0, 15.0)
_PAUSE = Event()  # that never comes: there is nothing but to look again and again
WITHIN = 600.0  # seconds for the executions of one round to end


class Database:
    """A PostgreSQL that can be stopped and started."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._sockets = runtime_directory()
        self.server = self._started()
        self.server.create_database("portal")
        self.outages = 0

    def interrupt(self) -> None:
        """Stop it, every other time as in a crash, and start it again."""
        number = SIGQUIT if self.outages % 2 else SIGINT
        self.server.child.stop(with_signal=number, within=15)
        self.outages += 1
        self.server = self._started()

    def _started(self) -> Postgres:
        return start_postgres(
            self._place / "postgres",
            sockets=self._sockets / "s",
            log=self._place / "postgres.log",
            options=FAST,
        )


class Weather:
    """Stops PostgreSQL and flushes Redis over and over, each time that it may `blow` and is due.

    No thread does it: the kernel ends a server together with the thread that started it.
    """

    def __init__(self, database: Database, source: random.Random) -> None:
        self._database = database
        self._random = source
        self._outage_at = self._flush_at = 0.0
        self.flushes = 0

    def rise(self) -> None:
        """From now on, the first outage and flush are due like the later ones."""
        self._outage_at, self._flush_at = self._next(OUTAGE), self._next(FLUSH)

    def blow(self) -> None:
        if time.monotonic() >= self._outage_at:
            self._database.interrupt()
            self._outage_at = self._next(OUTAGE)
        if time.monotonic() >= self._flush_at:
            redis.Redis.from_url(os.environ["REDIS_URL"]).flushall()
            self.flushes += 1
            self._flush_at = self._next(FLUSH)

    def _next(self, between: tuple[float, float]) -> float:
        return time.monotonic() + self._random.uniform(*between)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--place", type=Path, required=True)
    given = parser.parse_args()
    kills = given.place / "kills"
    kills.mkdir()
    (kills / "wanted").write_text(str(given.kills))
    database = Database(given.place)
    try:
        os.environ["DATABASE_URL"] = database.server.url("portal")
        os.environ["DRS_REGIONS"] = ",".join(REGIONS)
        django.setup()
        answer = shown(given.place, database, random.Random(given.seed), given.kills)
    finally:
        database.server.stop()
    sys.stdout.write(json.dumps(answer) + "\n")


def shown(place: Path, database: Database, source: random.Random, wanted: int) -> dict[str, Any]:
    from django.core.management import call_command

    from tests.journeys.processes import Beat, Worker
    from tests.performance._truth import judge

    begin = time.monotonic()
    control = Control(os.environ["AWS_ENDPOINT_URL"])
    call_command("migrate", verbosity=0)
    plans = made(control)
    bad_day(control)
    weather = Weather(database, source)
    beat = Beat()
    worker = Worker(
        place / "worker.log",
        concurrency=4,
        KILLS=str(place / "kills"),
        KILLS_LIKELY=str(LIKELY),
        DJANGO_SETTINGS_MODULE="tests.performance._chaos_settings",
        AWS_READ_TIMEOUT_SECONDS="2",
    )
    rounds = 0
    try:
        while rounds < ROUNDS and len(read(place / "kills" / "killed.jsonl")) < wanted:
            one_round(weather, plans[rounds * len(PLACES) : (rounds + 1) * len(PLACES)])
            rounds += 1
            died = len(read(place / "kills" / "killed.jsonl"))
            sys.stderr.write(f"{died} of {wanted} workers have died in {rounds} rounds\n")
    finally:
        worker.kill()
        beat.stop()
    control.clear_faults()
    verdict = judge(control.jobs(), instances())
    for sentence in verdict.all():
        sys.stderr.write(f"{sentence}\n")
    return {
        "kills": len(read(place / "kills" / "killed.jsonl")),
        "outages": database.outages,
        "flushes": weather.flushes,
        "resumed": resumed(place / "kills"),
        "executions": rounds * len(PLACES),
        "wrong": {name: len(found) for name, found in vars(verdict).items()},
        "seconds": round(time.monotonic() - begin),
    }


def made(control: Control) -> list[Any]:
    """A world, and for each round a plan of two waves in each account and Region."""
    from drportal.actor import PORTAL
    from protection.models import TargetAccount
    from protection.services import accounts, groups, inventory
    from tests.factories.recovery import PreflightFactory
    from tests.worlds import EXTERNAL_ID, HUB, plan_of, role, server, wave

    tiers = [f"r{number}{tier}" for number in range(ROUNDS) for tier in ("db", "web")]
    control.load(
        {
            "accounts": [
                {"id": each, "hub": each == HUB, "initialized": list(REGIONS)}
                for each in (HUB, *ACCOUNTS)
            ],
            "roles": [
                {"arn": role(each), "trust": [HUB], "externalId": EXTERNAL_ID} for each in ACCOUNTS
            ],
            "servers": [
                server(f"{tier}-{n}", account=account, region=region)
                for account, region in PLACES
                for tier in tiers
                for n in (1, 2)
            ],
        }
    )
    accounts.register(account_id=HUB, name="hub", is_hub=True, actor=PORTAL)
    for each in ACCOUNTS:
        accounts.register(account_id=each, name=each, external_id=EXTERNAL_ID, actor=PORTAL)
    inventory.sync(actor=PORTAL)
    plans = []
    for number in range(ROUNDS):
        for account, region in PLACES:
            both = [
                groups.create(
                    name=f"{tier} {account[-1]} {region}",
                    account=TargetAccount.objects.get(account_id=account),
                    region=region,
                    tags={"Tier": tier},
                    actor=PORTAL,
                )
                for tier in (f"r{number}db", f"r{number}web")
            ]
            plan = plan_of(
                wave("Databases", both[0]),
                wave("Web", both[1], depends_on=(1,)),
                name=f"Plan {number} {account[-1]} {region}",
            )
            PreflightFactory.create(plan=plan)
            plans.append(plan)
    return plans


def bad_day(control: Control) -> None:
    control.set_speed(SPEED)
    control.set_settings(hold_seconds=3)
    for operation in ("StartRecovery", "TerminateRecoveryInstances"):
        for kind in (Kind.DROP_BEFORE, Kind.DROP_AFTER, Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER):
            control.add_fault(kind, operation=operation, probability=0.08)
    control.add_fault(Kind.THROTTLE, service="drs", probability=0.3, seconds=0)
    control.add_fault(Kind.CONVERSION_FAIL, probability=0.02)


def one_round(weather: Weather, plans: list[Any]) -> None:
    """Executions in every place, and the clean-up after them."""
    from drportal.actor import PORTAL
    from recovery.errors import NothingToTerminate
    from recovery.models import Execution, LaunchJob, Termination
    from recovery.services import executions, terminations
    from recovery.states import EXECUTION, JOB, TERMINATION
    from recovery.states import Kind as ExecutionKind

    running = [executions.start(each, kind=ExecutionKind.DRILL, actor=PORTAL) for each in plans]
    live = Execution.objects.filter(state__in=sorted(EXECUTION.active))
    launching = LaunchJob.objects.filter(state__in=sorted(JOB.active))
    cleaning = Termination.objects.filter(state__in=sorted(TERMINATION.active))
    wait_until(weather, lambda: not live.exists() and not launching.exists())
    for execution in running:
        with suppress(NothingToTerminate):
            terminations.request(execution, actor=PORTAL)
    wait_until(weather, lambda: not cleaning.exists())


def wait_until(weather: Weather, done: Callable[[], bool]) -> None:
    """Return once it is `done`, or has not been for so long that it will not be: then the verdict
    tells.
    """
    from django.db import DatabaseError, connection

    deadline = time.monotonic() + WITHIN
    weather.rise()
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except DatabaseError:
            connection.close()
        weather.blow()
        _PAUSE.wait(0.3)


def resumed(kills: Path) -> dict[str, Any]:
    """The seconds from a death with a lease in hand to the next sign of life about the same thing,
    whoever gives it.
    """
    seen = read(kills / "seen.jsonl")
    found = []
    for dead in read(kills / "killed.jsonl"):
        if str(dead["point"]).endswith(".released"):
            continue  # it held nothing any more, and there may be nothing to do for long
        at: Any = dead["at"]
        later: list[Any] = [line["at"] for line in seen if line["key"] == dead["key"]]
        found.append(min((each - at for each in later if each > at), default=WITHIN))
    found.sort()
    return {
        "deaths": len(found),
        "p95": round(found[int(0.95 * (len(found) - 1))], 1) if found else 0,
        "max": round(found[-1], 1) if found else 0,
    }


def instances() -> dict[tuple[str, str, str], str]:
    """What DRS has of recovery instances, asked as the portal asks."""
    from drportal.aws.drs import Drs
    from protection.models import TargetAccount

    return {
        (account, region, each.instance_id): each.server_id
        for account, region in PLACES
        for each in Drs(
            TargetAccount.objects.get(account_id=account).scope(region)
        ).all_recovery_instances()
    }


if __name__ == "__main__":
    main()
