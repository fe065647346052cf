"""What the demo shows in the terminal: steps, the drill as it goes, tables."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Execution = dict[str, Any]
Wave = dict[str, Any]

_STYLES = {
    "COMPLETED": "green",
    "LAUNCHED": "green",
    "LAUNCHING": "cyan",
    "RUNNING": "cyan",
    "PENDING": "dim",
    "WAITING": "yellow",
    "PAUSED": "yellow",
}
_BAD = "bold red"
_BAR = 24


class Screen:
    """Writes to a terminal, or, where there is none, a line for each change."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._told: dict[int, str] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step of the set-up, with the time it took."""
        begun = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(name):
                yield
        else:
            yield
        self._console.print(f"[green]done[/]  {name}  [dim]{time.monotonic() - begun:.1f} s[/]")

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def drill(self) -> Iterator["Drill"]:
        """A place to show the drill in while it runs."""
        if not self._console.is_terminal:
            yield Drill(self, None)
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            yield Drill(self, live)

    def result(self, execution: Execution) -> None:
        """The outcome of every wave."""
        table = Table(title=f"Drill {execution['id']}: {execution['state']}", title_style="bold")
        for column in ("Wave", "Outcome", "Launched", "Not launched", "Took"):
            table.add_column(column, justify="left" if column in {"Wave", "Outcome"} else "right")
        for wave in execution["waves"]:
            launched = _states(wave)["LAUNCHED"]
            table.add_row(
                f"{wave['position']} {wave['name']}",
                _coloured(wave["state"]),
                str(launched),
                str(len(wave["servers"]) - launched),
                _took(wave),
            )
        self._console.print(table)

    def logins(self, address: str, passwords: Mapping[str, str]) -> None:
        """Where the portal is, and who may log in."""
        table = Table(title=f"{address}/admin/", title_style="bold underline")
        table.add_column("User")
        table.add_column("Password")
        for username, password in passwords.items():
            table.add_row(username, password)
        self._console.print(table)

    def problems(self, problems: Sequence[str]) -> None:
        for problem in problems:
            self.say(f"wrong  {problem}", _BAD)

    def line_for(self, wave: Wave) -> None:
        """Tell of the wave, if there is something new to tell."""
        counted = ", ".join(f"{n} {state.lower()}" for state, n in sorted(_states(wave).items()))
        text = f"wave {wave['position']} {wave['name']}: {wave['state']} ({counted})"
        if self._told.get(wave["position"]) != text:
            self._told[wave["position"]] = text
            self.say(text)


class Drill:
    """The drill on the screen."""

    def __init__(self, screen: Screen, live: Live | None) -> None:
        self._screen = screen
        self._live = live

    def show(self, execution: Execution) -> None:
        """Bring the picture up to date."""
        if self._live is None:
            for wave in execution["waves"]:
                self._screen.line_for(wave)
        else:
            self._live.update(_picture(execution))


def _picture(execution: Execution) -> Group:
    head = Text.assemble("Drill ", (execution["state"], _style(execution["state"])))
    if execution["message"]:
        head.append(f"  {execution['message']}", "yellow")
    return Group(head, *(_wave(wave) for wave in execution["waves"]))


def _wave(wave: Wave) -> Table:
    states = _states(wave)
    done = states["LAUNCHED"]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=22)
    grid.add_column(width=_BAR)
    grid.add_column(width=12)
    grid.add_column()
    grid.add_row(
        Text(f"{wave['position']} {wave['name']}", "bold"),
        ProgressBar(total=max(1, len(wave["servers"])), completed=done, width=_BAR),
        _coloured(wave["state"]),
        Text(f"{done} of {len(wave['servers'])}", "dim"),
    )
    if wave["state"] == "LAUNCHING":
        for server in wave["servers"]:
            phase = server["phase"] if server["state"] == "LAUNCHING" else ""
            grid.add_row(
                Text(f"  {server['name']}"),
                Text(phase.lower().replace("_", " ")),
                _coloured(server["state"]),
                Text(server["message"] or "", "dim"),
            )
    return grid


def _states(wave: Wave) -> Counter[str]:
    return Counter(server["state"] for server in wave["servers"])


def _style(state: str) -> str:
    return _STYLES.get(state, _BAD)


def _coloured(state: str) -> Text:
    return Text(state, _style(state))


def _took(wave: Wave) -> str:
    if not wave["started_at"] or not wave["finished_at"]:
        return "-"
    began, ended = (datetime.fromisoformat(wave[key]) for key in ("started_at", "finished_at"))
    return f"{(ended - began).total_seconds():.1f} s"
