"""scripts/bench NAME: runs `tests/performance/NAME.py` on services of its own.

A measurement is a module with `measure(stack, arguments) -> dict`, whose docstring's first line
says what it measures. What it returns is printed as JSON on the last line.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from drportal.embedded.stack import Stack

_HERE = Path(__file__).parent


def main() -> int:
    names = sorted(path.stem for path in _HERE.glob("*.py") if not path.stem.startswith("_"))
    parser = argparse.ArgumentParser(prog="scripts/bench", description=_described(names))
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names) or "none yet")
    parser.add_argument("--speed", type=float, default=1.0, help="of the simulated AWS")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="what the measurement takes")
    given = parser.parse_args()
    module = importlib.import_module(f"tests.performance.{given.name}")
    environment = dict(os.environ) | {"DJANGO_SETTINGS_MODULE": "drportal.settings.local"}
    with (
        tempfile.TemporaryDirectory(prefix="drportal-bench-") as data,
        Stack(Path(data), given=environment, speed=given.speed) as stack,
    ):
        measured = module.measure(stack, given.rest)
    sys.stdout.write(json.dumps({"bench": given.name, **measured}) + "\n")
    return 0


def _described(names: list[str]) -> str:
    lines = [f"{name}: {_first_line(name)}" for name in names]
    return "Measurements too long for the test suite. " + "; ".join(lines)


def _first_line(name: str) -> str:
    text = importlib.import_module(f"tests.performance.{name}").__doc__ or ""
    return text.partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
