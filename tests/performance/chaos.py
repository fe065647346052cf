"""1,000 deaths of processes over random plans, 100 of them of real workers: what is then untrue.

First in one process (`_walks`): random plans are carried out and cleaned up by processes that die
at a checkpoint or before a database statement, or stand still while others take over. StartRecovery
and TerminateRecoveryInstances lose their answers before and after they took effect, a third of all
calls is throttled, DRS lists jobs late. Then with real workers (`_workers`), which SIGKILL ends at
checkpoints, while PostgreSQL stops and starts every 5 to 20 seconds and Redis is flushed.

After each, what the portal says is held against what DRS has (`_truth`). `--seed` gives the same
plans and the same weather again; threads and real processes may still take another order.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from drportal.embedded.stack import Stack
from tests.performance._figures import figure, figures

POINTS, KILLS = 1000, 100
RESUME = 15.0  # seconds
_ELSEWHERE = ("AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


def measure(stack: Stack, arguments: list[str]) -> dict[str, Any]:
    if stack.aws is None:
        raise SystemExit("This measures the simulated AWS only: leave AWS_ENDPOINT_URL unset.")
    given = _arguments(arguments)
    sys.stderr.write(f"The seed is {given.seed}\n")
    common = ("--seed", str(given.seed))
    environment = dict(os.environ) | stack.environment | {"DRS_REGIONS": "us-east-1,us-west-2"}
    inside = {name: value for name, value in environment.items() if name not in _ELSEWHERE}
    inside["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    place = stack.data / "workers"
    place.mkdir()
    _run(["manage.py", "migrate", "--no-input"], environment)
    walks = _told("_walks", inside, "--points", str(given.points), *common)
    workers = _told(
        "_workers", environment, "--kills", str(given.kills), "--place", str(place), *common
    )
    answer: dict[str, Any] = {
        "seed": given.seed,
        "kill_points": figure(walks["deaths"] + workers["kills"], given.points, at_least=True),
        "real_kills": figure(workers["kills"], given.kills, at_least=True),
        "resume_max_seconds": figure(workers["resumed"]["max"], RESUME),
        "resume_p95_seconds": figure(workers["resumed"]["p95"], RESUME),
    }
    for name in walks["wrong"]:
        answer[name] = figure(walks["wrong"][name] + workers["wrong"][name], 0)
    answer["ok"] = all(each["ok"] for each in figures(answer))
    return answer | {"walks": walks, "workers": workers}


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench chaos")
    parser.add_argument("--points", type=int, default=POINTS, help="deaths in one process")
    parser.add_argument("--kills", type=int, default=KILLS, help="of real workers")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    return parser.parse_args(arguments)


def _told(name: str, environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    command = ["-m", f"tests.performance.{name}", *arguments]
    told: dict[str, Any] = json.loads(_run(command, environment).splitlines()[-1])
    return told


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
