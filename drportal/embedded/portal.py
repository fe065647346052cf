"""The portal's own processes and commands on an embedded stack."""

import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from drportal import commandlines
from drportal.embedded.processes import Child, DidNotStart
from drportal.embedded.stack import Stack

_PAUSE = 0.2
_SYNC = "protection.sync_inventory"


class StepFailed(RuntimeError):
    """A step of the set-up did not do what it should. The message says what it said."""


class Portal:
    """The portal at one address, on the services of a stack."""

    def __init__(self, stack: Stack, *, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._stack = stack
        self._port = port
        self._children: list[Child] = []

    def load(self) -> None:
        """Load Django's settings into this process, which runs the commands below."""
        import os

        import django

        os.environ.update(self._stack.environment)
        django.setup()

    def command(self, name: str, *arguments: str) -> None:
        """Run a management command; what it prints is in a log. Raises StepFailed."""
        _, complaint = self._command(name, *arguments)
        if complaint:
            raise StepFailed(f"{name}: {complaint}")

    def start_web(self) -> None:
        """Start the web server; it answers when this returns. Raises DidNotStart."""
        command = commandlines.web(bind=f"127.0.0.1:{self._port}")
        self._run("web", command, ready=lambda: bool(self._health("healthz")))

    def start_workers(self) -> None:
        """Start a worker for the engine, one for all else, and beat."""
        self._run(
            "worker-engine", commandlines.worker(name="engine", queues="engine", concurrency=2)
        )
        self._run(
            "worker",
            commandlines.worker(name="general", queues="checks,sync,mirror,notices,default"),
        )
        self._run("beat", commandlines.beat())

    def wait_until_ready(self, *, within: float = 60) -> None:
        """Return once /readyz finds every part well. Raises StepFailed with what it finds."""
        deadline = time.monotonic() + within
        while True:
            found = self._health("readyz")
            if found.get("status") == "OK":
                return
            self.must_be_whole()
            if time.monotonic() > deadline:
                raise StepFailed(f"Not every part is well after {within:g} s: {json.dumps(found)}")
            time.sleep(_PAUSE)

    def must_be_whole(self) -> None:
        """Raise DidNotStart if one of the processes has ended."""
        for child in self._children:
            if not child.running():
                raise DidNotStart(f"{child.name} has ended:\n{child.log_tail()}")

    def make_inventory_due(self) -> datetime:
        """Let beat send the inventory sync as soon as it starts; returns the time.

        Only while beat is not running: it writes its own last runs over ours when it notices a
        change. Raises StepFailed if the sync is not scheduled.
        """
        from django_celery_beat.models import PeriodicTask

        due = PeriodicTask.objects.filter(task=_SYNC, enabled=True)
        if not due.update(last_run_at=datetime(2000, 1, 1, tzinfo=UTC)):
            raise StepFailed(f"{_SYNC} is not scheduled.")
        return datetime.now(UTC)

    def wait_for_inventory(self, since: datetime, *, within: float = 180) -> int:
        """Wait for a sync that began after `since`; returns how many servers it saw.

        Raises StepFailed if it does not come or does not end well.
        """
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self.must_be_whole()
            state, seen = self._sync_run_since(since)
            if state == "COMPLETED":
                return seen
            if state not in {"", "RUNNING"}:
                raise StepFailed(f"The inventory sync ended {state}.")
            time.sleep(_PAUSE)
        raise StepFailed(f"No inventory sync ended within {within:g} s.")

    def forget_the_old_world(self) -> None:
        """Simulated AWS begins anew with each run, and knows no job of an earlier one. The engine
        gives up a job that DRS no longer lists when it is old enough; so make those jobs old.
        """
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE recovery_launchjob SET created_at = created_at - interval '1 day',"
                " started_at = started_at - interval '1 day' WHERE state = 'STARTED'"
            )

    def audit_records(self) -> int:
        """How many audit records the database holds."""
        return int(self._one("SELECT count(*) FROM audit_auditrecord")[0])

    def mirror(self, *, within: float = 60) -> dict[str, int]:
        """How far DynamoDB is behind the database, and on how many objects they differ.

        What is on its way may take a moment, so this asks until nothing is, or time runs out.
        """
        deadline = time.monotonic() + within
        while True:
            printed, complaint = self._command("mirror", "verify", "--json")
            if not printed:
                raise StepFailed(f"The mirror could not be compared: {complaint}")
            found = json.loads(printed)
            result = {"behind": found["behind"], "differences": len(found["differences"])}
            if not any(result.values()) or time.monotonic() > deadline:
                return result
            time.sleep(1)

    def _command(self, name: str, *arguments: str) -> tuple[str, str]:
        """What the command printed, and what it complained of."""
        from django.core.management import CommandError, call_command

        output, complaint = io.StringIO(), ""
        try:
            call_command(name, *arguments, stdout=output, stderr=output)
        except CommandError as error:
            complaint = str(error)
        with (self._stack.logs / "commands.log").open("a") as log:
            log.write(f"--- {name} {' '.join(arguments)}\n{output.getvalue()}{complaint}\n")
        return output.getvalue(), complaint

    def _sync_run_since(self, when: datetime) -> tuple[str, int]:
        row = self._one(
            "SELECT state, seen FROM protection_syncrun WHERE started_at >= %s"
            " AND kind = 'INVENTORY' ORDER BY started_at LIMIT 1",
            when,
        )
        return (str(row[0]), int(row[1])) if row else ("", 0)

    def _one(self, query: str, *parameters: datetime) -> tuple[Any, ...]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row or ()

    def _run(self, name: str, command: list[str], ready: Callable[[], bool] | None = None) -> None:
        self._children.append(self._stack.run(name, command, ready=ready))

    def _health(self, page: str) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/{page}", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                found = json.load(error) if error.headers.get_content_subtype() == "json" else {}
        except OSError:
            found = {}
        return found
