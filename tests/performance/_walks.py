"""The process that goes the walks of `chaos`, and prints one JSON object."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from typing import Any

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    django.setup()
    from moto import mock_aws

    from drportal.simulator.registration import register

    register()
    with mock_aws():
        answer = walks(given.points, given.seed)
    sys.stdout.write(json.dumps(answer) + "\n")


def walks(points: int, seed: int) -> dict[str, Any]:
    """Walk until so many processes have died."""
    from django.core.management import call_command

    from tests.performance._truth import Verdict
    from tests.performance._walk import walk

    sums: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    verdict, begin = Verdict(), time.monotonic()
    while sums["deaths"] < points:
        number = sums["walks"]
        call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
        found = walk(f"{seed}:{number}")
        sums += Counter({name: n for name, n in vars(found).items() if isinstance(n, int)})
        sums["walks"] += 1
        errors.update(each.partition(":")[0] for each in found.errors)
        verdict.add(found.verdict)
        for sentence in (*found.verdict.all(), *found.errors):
            sys.stderr.write(f"walk {seed}:{number}: {sentence}\n")
        sys.stderr.write(f"{sums['deaths']} of {points} deaths in {sums['walks']} walks\n")
    counts = {name: len(found) for name, found in vars(verdict).items()}
    seconds = round(time.monotonic() - begin)
    return {**sums, "wrong": counts, "errors": dict(errors), "seconds": seconds, "pid": os.getpid()}


if __name__ == "__main__":
    main()
