"""Child processes that never outlive the process that started them."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, linux/prctl.h
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25


class DidNotStart(RuntimeError):
    """An embedded service did not start. The message holds the end of its log."""


@dataclass(slots=True)
class Child:
    """A running child: the leader of a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    _asked: bool = False

    def running(self) -> bool:
        return self.process.poll() is None

    def ask_to_end(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """Ask once; a child takes a second time for an order to drop everything."""
        if self.running() and not self._asked:
            self._asked = True
            self.process.send_signal(with_signal)

    def stop(self, *, with_signal: signal.Signals = signal.SIGTERM, within: float = 10) -> None:
        """Ask the child to end, unless it was; after `within` seconds, end its whole group."""
        if self.running():
            self.ask_to_end(with_signal)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(within)
        # What the child started and left behind goes too.
        signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def log_tail(self, lines: int = 20) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: pwd.struct_passwd | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    stdin: int = subprocess.DEVNULL,
) -> Child:
    """Start `command` in its own process group, its output appended to `log`.

    When the calling process dies, however it dies, the kernel sends the child `death_signal`. The
    kernel ties that to the calling *thread*, so call this from one that lives as long as the child
    should.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            process_group=0,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509  # it calls libc only
        )
    return Child(name=name, process=process, log=log)


def wait_until(ready: Callable[[], bool], child: Child, *, within: float = 30) -> None:
    """Return once `ready` answers True; raise `DidNotStart` if the child ends or time runs out."""
    deadline = time.monotonic() + within
    pause = _SHORTEST_PAUSE
    while not ready():
        if not child.running():
            code = child.process.returncode
            raise DidNotStart(f"{child.name} ended with code {code}:\n{child.log_tail()}")
        if time.monotonic() > deadline:
            raise DidNotStart(
                f"{child.name} was not ready within {within:g} s:\n{child.log_tail()}"
            )
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.5)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send the signal to every process of the group, if there are any."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    # Everything is looked up before the fork: after it the child may only make system calls.
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()
    number = int(death_signal)

    def set_death_signal() -> None:
        if libc.prctl(_SET_DEATH_SIGNAL, number, 0, 0, 0) != 0:
            sys.exit("prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != parent:  # it died between the fork and the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal
