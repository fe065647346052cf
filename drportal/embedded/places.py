"""Where the embedded services keep their sockets, and what they leave when they are killed."""

import os
import pwd
import re
import shutil
import socket
import stat
import tempfile
from pathlib import Path

from drportal.embedded.processes import alive

_RUNTIME = re.compile(r"drportal-(\d+)-\w+")


def runtime_directory() -> Path:
    """A new private directory for this process, short enough for socket paths (107 bytes).

    Those of processes that were killed before they could remove theirs are removed.
    """
    base = Path("/tmp")  # noqa: S108  # sockets need a short path; mkdtemp makes it private
    for entry in base.iterdir():
        match = _RUNTIME.fullmatch(entry.name)
        if match and not alive(int(match[1])) and entry.stat().st_uid == os.geteuid():
            shutil.rmtree(entry, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f"drportal-{os.getpid()}-", dir=base))
    # Whom we start as another user must pass through it, without listing it.
    made.chmod(0o711)
    return made


def owned_directory(path: Path, owner: pwd.struct_passwd | None) -> Path:
    """The directory `path`, made if need be, open to its owner only."""
    path.mkdir(parents=True, exist_ok=True)
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    path.chmod(0o700)
    return path


def reachable(path: Path) -> bool:
    """Whether any user may pass through all the directories above `path`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
