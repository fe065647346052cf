"""python -m drportal.simulator --port N [--host H] [--scenario FILE] [--speed S]"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from threading import Event

from drportal.simulator import scenario
from drportal.simulator.reader import ScenarioError
from drportal.simulator.server import start


def main() -> int:
    """Serve until SIGTERM or SIGINT. 2 for a scenario or port that does not do."""
    parser = argparse.ArgumentParser(
        prog="python -m drportal.simulator", description="Simulated AWS with DRS, over HTTP."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--scenario", type=Path, help="JSON; the demo's company without it")
    parser.add_argument("--speed", type=float, help="divides all durations; 1 without it")
    options = parser.parse_args()
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        loaded = scenario.read(options.scenario) if options.scenario else None
        running = start(options.host, options.port, scenario=loaded, speed=options.speed)
    except (OSError, ValueError, ScenarioError) as error:
        parser.exit(2, f"{error}\n")
    sys.stdout.write(f"Simulated AWS is ready at {running.url}\n")
    sys.stdout.flush()
    ended.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
