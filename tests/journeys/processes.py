"""Real workers and a beat for the journeys, on the suite's database, broker and simulated AWS."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from celery import current_app
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent


def environment(**more: str) -> dict[str, str]:
    """What a process needs to work on what this test works on."""
    database = connection.settings_dict
    user = database["USER"] or "postgres"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.journeys.worker_settings",
        "DATABASE_URL": f"postgresql://{user}@/{database['NAME']}?host={database['HOST']}",
        "REDIS_URL": settings.REDIS_URL,
        "AWS_ENDPOINT_URL": settings.AWS_ENDPOINT_URL,
        "DRS_REGIONS": ",".join(settings.DRS_REGIONS),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        **more,
    }


class Worker:
    """A Celery worker with `concurrency` processes, in a process group of its own."""

    def __init__(
        self, log: Path, *, concurrency: int = 2, queues: str = "engine", **env: str
    ) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "drportal", "worker"),
                *("--queues", queues, "--concurrency", str(concurrency)),
                *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
                *("--hostname", f"{log.stem}-{time.monotonic_ns()}@localhost"),
            ],
            cwd=ROOT,
            env=environment(**env),
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def kill(self) -> None:
        """SIGKILL to all of it at once, as when a machine is lost.

        Held still first: it would replace the processes that die before it does.
        """
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            main.suspend()
            family = [main, *main.children(recursive=True)]
            for process in family:
                process.kill()
            psutil.wait_procs(family, timeout=10)
        self.process.wait()
        self._log.close()


class Beat:
    """What beat does for the engine: a tick every second, sent to the real broker, and whatever
    else a journey wants done, by task and queue.
    """

    def __init__(self, **tasks: str) -> None:
        self._tasks = {"recovery.tick": "engine"} | tasks
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(1):
            for task, queue in self._tasks.items():
                with suppress(OSError):
                    current_app.send_task(task, queue=queue, expires=5, retry=False)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


def wait_for(
    condition: Callable[[], Any], *, within: float, what: Callable[[], str] = lambda: "it"
) -> Any:
    """The first true answer of `condition`, asked again and again for `within` seconds."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        pause.wait(0.1)
    raise AssertionError(f"{what()} did not come to pass within {within} s")
