"""The services that the environment does not name, started and stopped together."""

import fcntl
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from drportal.embedded.aws import SimulatedAws, start_aws
from drportal.embedded.keeper import Keeper
from drportal.embedded.places import runtime_directory
from drportal.embedded.postgres import start_postgres
from drportal.embedded.processes import Child, start, wait_until
from drportal.embedded.redis import start_redis

_ROOT = Path(__file__).resolve().parents[2]
_DATABASE = "portal"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DirectoryInUse(RuntimeError):
    """Another running stack holds the data directory."""


class Stack:
    """Embedded PostgreSQL, Redis and simulated AWS, and the processes that run on them.

    A service whose setting (DATABASE_URL, REDIS_URL, AWS_ENDPOINT_URL) `given` holds is not
    started. Leaving the `with` block ends everything, the last started first; if this process is
    killed, the kernel and the keeper do.
    """

    def __init__(
        self,
        data: Path,
        *,
        given: Mapping[str, str],
        speed: float = 1.0,
        scenario: Path | None = None,
        postgres_options: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data.absolute()
        self.logs = self.data / "logs"
        self.environment: dict[str, str] = dict(given)
        self.aws: SimulatedAws | None = None
        self._speed = speed
        self._scenario = scenario
        self._postgres_options = postgres_options
        self._undo = ExitStack()
        self._portal: list[Child] = []

    def __enter__(self) -> Self:
        """Start the services. Raises `DirectoryInUse` and `DidNotStart`."""
        with ExitStack() as undo:
            self._undo = undo
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not leave half of it running.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
        try:
            for child in self._portal:  # they end side by side, before what they stand on
                child.ask_to_end()
            self._undo.close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        ready: Callable[[], bool] | None = None,
        within: float = 60,
    ) -> Child:
        """Start a process of the portal and wait until it is `ready`. Raises `DidNotStart`."""
        child = start(
            name,
            command,
            log=self.logs / f"{name}.log",
            env=self.environment,
            cwd=_ROOT,
        )
        self._portal.append(child)
        self._keep(child, child.stop)
        if ready is not None:
            wait_until(ready, child, within=within)
        return child

    def _start(self, undo: ExitStack) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        undo.callback(_Held(self.data / "lock").close)
        place = runtime_directory()
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        self._keeper = Keeper(log=self.logs / "keeper.log")
        undo.callback(self._keeper.close)
        self.environment.setdefault("SECRET_KEY", _secret_key(self.data / "secret-key"))
        self._start_postgres(place)
        self._start_redis(place)
        self._start_aws()

    def _start_postgres(self, place: Path) -> None:
        if "DATABASE_URL" in self.environment:
            return
        server = start_postgres(
            self.data / "postgres",
            sockets=place / "s",
            log=self.logs / "postgres.log",
            options=self._postgres_options,
        )
        self._keep(server.child, server.stop)
        server.create_database(_DATABASE)
        self.environment["DATABASE_URL"] = server.url(_DATABASE)

    def _start_redis(self, place: Path) -> None:
        if "REDIS_URL" in self.environment:
            return
        server = start_redis(place / "redis", log=self.logs / "redis.log")
        self._keep(server.child, server.stop)
        self.environment["REDIS_URL"] = server.url()

    def _start_aws(self) -> None:
        if "AWS_ENDPOINT_URL" in self.environment:
            return
        self.aws = start_aws(
            log=self.logs / "aws.log",
            env=self.environment,
            scenario=self._scenario,
            speed=self._speed,
        )
        self._keep(self.aws.child, self.aws.stop)
        self.environment = self.aws.environment(self.environment)

    def _keep(self, child: Child, stop: Callable[[], None]) -> None:
        group = child.process.pid
        self._keeper.watch(group)
        self._undo.callback(self._keeper.forget, group)
        self._undo.callback(stop)


class _Held:
    """A lock that the kernel releases when its process dies."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise DirectoryInUse(f"{path.parent} is in use by another running portal.") from None

    def close(self) -> None:
        os.close(self._descriptor)


def _secret_key(path: Path) -> str:
    """The key of this data directory: sessions outlive a restart."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(60))
    return path.read_text()
