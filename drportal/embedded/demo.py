"""python -m drportal.embedded.demo: the whole portal on simulated AWS, and a drill of it."""

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from drportal.embedded import company, facts
from drportal.embedded.client import ApiRefused, Client
from drportal.embedded.drill import DrillTookTooLong, cancel_leftovers, run_drill, wave_facts
from drportal.embedded.people import make_people
from drportal.embedded.places import free_port
from drportal.embedded.portal import Portal, StepFailed
from drportal.embedded.processes import DidNotStart
from drportal.embedded.screen import Screen
from drportal.embedded.stack import DirectoryInUse, Stack
from drportal.settings.env import EnvironmentNotRight
from drportal.simulator.control import Control, Refused

_ROOT = Path(__file__).resolve().parents[2]
_SERVICES = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL")
_LONGEST_DRILL = 6 * 3600
_FAILURES = (
    ApiRefused,
    DidNotStart,
    DirectoryInUse,
    DrillTookTooLong,
    Refused,
    StepFailed,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    once: bool
    report: Path | None
    port: int
    speed: float
    data: Path
    started: float


def main() -> int:
    """Run the demo. 0 if all was right, 1 if not, 128 plus the signal's number if stopped."""
    options = _options()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    screen = Screen()
    given = dict(os.environ) | {"DJANGO_SETTINGS_MODULE": "drportal.settings.local"}
    try:
        with Stack(options.data, given=given, speed=options.speed) as stack:
            return _on(stack, options, screen)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except EnvironmentNotRight as error:
        screen.problems(error.problems)
        return 1
    except _FAILURES as error:
        screen.problems([str(error)])
        screen.say(f"The logs are in {options.data / 'logs'}.")
        return 1


def _on(stack: Stack, options: Options, screen: Screen) -> int:
    portal = Portal(stack, port=options.port or free_port())
    control = Control(stack.environment["AWS_ENDPOINT_URL"])
    with screen.step("services answer"):
        portal.load()
        portal.command("check_services")
        calls_before = control.count()
    passwords, plan_id, client = _set_up(portal, stack, screen)
    screen.logins(portal.url, passwords)
    ready_at = datetime.now(UTC)
    with screen.drill() as drill:
        execution = run_drill(client, plan_id, show=drill.show, within=_LONGEST_DRILL)
    ended_at = datetime.now(UTC)
    screen.result(execution)
    with screen.step("DynamoDB is compared with the database"):
        report = _report(portal, control, execution, since=ready_at, calls_before=calls_before)
    report["timings"] |= {
        "setup_seconds": round(ready_at.timestamp() - options.started, 3),
        "drill_seconds": round((ended_at - ready_at).total_seconds(), 3),
    }
    if options.report:
        options.report.write_text(json.dumps(report, indent=2) + "\n")
    wrong = what_is_wrong(report)
    screen.problems(wrong)
    if options.once:
        return 1 if wrong else 0
    with _environment_file(stack) as file:
        screen.say(f"For manage.py and the AWS CLI: source {file}")
        return _serve(portal, screen, passwords)


def _set_up(portal: Portal, stack: Stack, screen: Screen) -> tuple[dict[str, str], str, Client]:
    with screen.step("database, roles, schedules, tables"):
        portal.command("migrate", "--no-input")
        portal.command("sync_roles")
        portal.command("sync_schedules")
        portal.command("mirror_tables")
        portal.command("collectstatic", "--no-input")
        passwords = make_people(stack.data / "logins.json")
    with screen.step("web"):
        portal.start_web()
    with screen.step("accounts, and what an earlier run left"):
        client = Client(portal.url)
        client.log_in("admin", passwords["admin"])
        company.register_accounts(client)
        if stack.aws:
            portal.forget_the_old_world()
        portal.command("mirror", "repair")
    with screen.step("workers and beat"):
        due_at = portal.make_inventory_due()
        portal.start_workers()
        portal.wait_until_ready()
        cancel_leftovers(client)
    with screen.step("inventory, by beat's own task"):
        portal.wait_for_inventory(due_at)
    with screen.step("groups and the plan"):
        plan_id = company.build_plan(client)
    return passwords, plan_id, client


def _report(
    portal: Portal,
    control: Control,
    execution: dict[str, Any],
    *,
    since: datetime,
    calls_before: int,
) -> dict[str, Any]:
    waves = wave_facts(execution)
    # A job's time has whole milliseconds at best; ours has more.
    jobs = facts.launches(control.jobs(), since=since - timedelta(seconds=1))
    calls = control.calls(since=calls_before)
    overheads = facts.overheads(waves, jobs, calls)
    return {
        "execution": {
            "id": execution["id"],
            "state": execution["state"],
            "waves": [_wave(wave) for wave in execution["waves"]],
        },
        "aws": {
            "calls": facts.by_operation(calls),
            "jobs": len(jobs),
            "jobs_per_intent_max": facts.jobs_per_intent_max(waves, jobs),
        },
        "mirror": portal.mirror(),
        "audit": {"records": portal.audit_records()},
        "timings": {"wave_overhead_seconds": facts.percentiles(overheads)},
    }


def _wave(wave: dict[str, Any]) -> dict[str, Any]:
    launched = sum(server["state"] == "LAUNCHED" for server in wave["servers"])
    return {
        "name": wave["name"],
        "state": wave["state"],
        "started_at": wave["started_at"],
        "finished_at": wave["finished_at"],
        "servers": {"launched": launched, "failed": len(wave["servers"]) - launched},
    }


def what_is_wrong(report: dict[str, Any]) -> list[str]:
    """Why the demo cannot say that all is right; empty if it can."""
    execution, aws, mirror = report["execution"], report["aws"], report["mirror"]
    wrong = [
        f"wave {wave['name']} ended {wave['state']}, {wave['servers']['failed']} not launched"
        for wave in execution["waves"]
        if wave["state"] != "COMPLETED" or wave["servers"]["failed"]
    ]
    if execution["state"] != "COMPLETED":
        wrong.append(f"the drill ended {execution['state']}")
    if aws["jobs_per_intent_max"] != 1:
        wrong.append(f"{aws['jobs_per_intent_max']} DRS jobs for one intent")
    if mirror["behind"] or mirror["differences"]:
        wrong.append(f"the mirror: {mirror['behind']} behind, {mirror['differences']} differ")
    if not report["audit"]["records"]:
        wrong.append("nothing was recorded in the audit")
    return wrong


@contextmanager
def _environment_file(stack: Stack) -> Iterator[Path]:
    """What a shell must know to reach the demo's services, while they run. Only for its owner."""
    file = stack.data / "environment"
    told = {
        name: value
        for name, value in stack.environment.items()
        if name in _SERVICES or (stack.aws and name.startswith("AWS_"))
    }
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as lines:
        lines.writelines(f"export {name}={shlex.quote(told[name])}\n" for name in sorted(told))
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _serve(portal: Portal, screen: Screen, passwords: dict[str, str]) -> NoReturn:
    screen.logins(portal.url, passwords)
    screen.say(f"The portal is at {portal.url}/admin/ until Ctrl-C.")
    while True:
        portal.must_be_whole()
        time.sleep(1)


def _stop(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.partition(": ")[2])
    parser.add_argument(
        "--once", action="store_true", help="end after the drill; 0 if all is right"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what happened as JSON")
    parser.add_argument("--port", type=int, default=8000, help="of the portal; 0 takes a free one")
    parser.add_argument(
        "--speed", type=float, default=40, help="time scale of the simulated AWS (%(default)g)"
    )
    parser.add_argument(
        "--data", type=Path, default=_ROOT / "var" / "demo", metavar="DIR", help="kept between runs"
    )
    parser.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.speed <= 0:
        parser.error("--speed must be more than 0")
    return Options(**vars(given))


if __name__ == "__main__":
    sys.exit(main())
