"""100 executions of 10 waves of 20 servers at once: the engine's own delay, calls, queries, memory.

Over 20 pairs of account and Region, with real PostgreSQL, Redis, beat and Celery workers, and boto3
over HTTP; before that 5 executions, to compare. `--speed` shortens what DRS takes: at 6, a launch
of 9 minutes takes 88 seconds, so the engine has six times the work of real executions in that time.

The own delay of a wave is all the time in which DRS had nothing to do for its execution: from the
moment that DRS ended the job of the wave before (for the first wave, from the request) to the
moment that DRS took the order to launch this one. After the last wave it is from the end of its job
to the end of the execution. Both moments are DRS's own, from its jobs. So the delay holds the wait
for the next poll, the queue, every write and every look before the order, and also the time that
simulated AWS takes to answer, on the same cores: that is told apart, as `aws_seconds_per_wave`.

The mirror and the notices have workers of their own, which do not run here.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import mean, median
from threading import Event
from typing import Any

import psutil

from drportal import commandlines
from drportal.embedded.stack import Stack
from drportal.simulator.control import Control
from tests.performance._estate import REGIONS, Size, plan, register, scenario
from tests.performance._figures import figure, figures
from tests.performance._meter import lines

FEW_P95, MANY_P95 = 2.0, 5.0  # seconds of own delay
GROWTH = 1.1  # of a worker's memory, from early to late
EARLY = 0.2  # of the waves have ended: by then every worker has been everywhere
_PAUSE, _NEVER = 1.0, Event()


class Run:
    """Executions that run at once, and what was seen of them."""

    def __init__(self, stack: Stack, place: Path, plans: Sequence[Any]) -> None:
        self._control = Control(stack.aws.url if stack.aws else "")
        self._place = place
        self._plans = plans
        self._memory: list[tuple[float, int]] = []
        self._since = time.time()
        self._calls_before: Counter[str] = Counter()
        self.executions: list[Any] = []

    def carry_out(self, workers: Callable[[], list[psutil.Process]], *, within: float) -> None:
        from drportal.actor import PORTAL
        from recovery.services import executions
        from recovery.states import Kind

        self._calls_before = Counter(self._control.calls_by_operation())
        self._since = time.time()
        for each in self._plans:
            self.executions.append(executions.start(each, kind=Kind.DRILL, actor=PORTAL))
        deadline = time.monotonic() + within
        while (done := self._done()) < 1:
            held = [process.memory_info().rss for process in workers()]
            self._memory.append((done, max(held, default=0)))
            if time.monotonic() > deadline:
                break
            _NEVER.wait(_PAUSE)

    def _done(self) -> float:
        """The share of waves that have ended; 1 only if the executions have too."""
        from recovery.models import Execution, Wave
        from recovery.states import EXECUTION, WAVE

        ours = [each.pk for each in self.executions]
        waves = Wave.objects.filter(execution__in=ours)
        ended = waves.filter(state__in=sorted(WAVE.terminal)).count() / waves.count()
        live = Execution.objects.filter(pk__in=ours, state__in=sorted(EXECUTION.active))
        return min(ended, 0.999) if live.exists() else 1

    def figures(self, p95: float) -> dict[str, Any]:
        from recovery.models import Execution

        ours = list(Execution.objects.filter(pk__in=[each.pk for each in self.executions]))
        states = Counter(each.state for each in ours)
        waves = sum(each.waves.count() for each in ours)
        jobs = {job["jobID"]: job for job in self._control.jobs()}
        delays = sorted(own_delays(ours, jobs))
        work = [line for line in lines(self._place) if line["begin"] >= self._since]
        calls = Counter(self._control.calls_by_operation()) - self._calls_before
        drs = {name: round(n / waves, 1) for name, n in calls.items() if name.startswith("drs:")}
        return {
            "completed": figure(states["COMPLETED"], len(ours), at_least=True),
            "own_delay_p50": round(median(delays), 2),
            "own_delay_p95": figure(round(percentile(delays, 95), 2), p95),
            "own_delay_max": round(delays[-1], 2),
            "until_the_end_is_seen": middle_and_most(seen_after(ours, jobs)),
            "seconds": round(time.time() - self._since, 1),
            "drs_calls_per_wave": round(sum(drs.values()), 1),
            "drs_calls_by_operation": drs,
            "aws_seconds_per_wave": round(sum(line["aws_seconds"] for line in work) / waves, 3),
            "worker_seconds_per_wave": round(
                sum(line["end"] - line["begin"] for line in work) / waves, 3
            ),
            "queries_by_work": queries_by_work(work),
        }

    def memory(self) -> dict[str, Any]:
        """The largest worker's memory, early and late, in MB."""
        early = [held for done, held in self._memory if EARLY <= done < 2 * EARLY]
        late = [held for done, held in self._memory if done >= 1 - EARLY]
        if not early or not late:  # too short a run to tell, which is not to be taken for flat
            return {"growth": figure(0.0, GROWTH) | {"ok": False}}
        return {
            "early_mb": round(mean(early) / 2**20, 1),
            "late_mb": round(mean(late) / 2**20, 1),
            "growth": figure(round(mean(late) / mean(early), 3), GROWTH),
        }


def own_delays(executions: Iterable[Any], jobs: Mapping[str, dict[str, Any]]) -> list[float]:
    """By wave, and for each execution's end, the seconds in which DRS had nothing to do. `jobs` are
    DRS's own, by id.
    """
    found = []
    for execution in executions:
        moments = [execution.created_at]
        for wave in execution.waves.order_by("position"):
            launched = [jobs[job.drs_job_id] for job in wave.jobs.all() if job.drs_job_id]
            if not launched:
                break
            asked = max(datetime.fromisoformat(job["creationDateTime"]) for job in launched)
            found.append((asked - moments[-1]).total_seconds())
            moments.append(max(datetime.fromisoformat(job["endDateTime"]) for job in launched))
        if execution.finished_at is not None:
            found.append((execution.finished_at - moments[-1]).total_seconds())
    return found


def seen_after(executions: Iterable[Any], jobs: Mapping[str, dict[str, Any]]) -> list[float]:
    """Of each wave's own delay, the seconds until the portal has written that the wave ended."""
    return [
        (
            wave.finished_at - datetime.fromisoformat(jobs[job.drs_job_id]["endDateTime"])
        ).total_seconds()
        for execution in executions
        for wave in execution.waves.exclude(finished_at=None)
        for job in wave.jobs.exclude(drs_job_id="")
    ]


def queries_by_work(work: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Database queries of an advance that did this, or of a poll, in the middle."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for line in work:
        steps = "+".join(step.removeprefix("step.") for step in line["steps"]) or "nothing"
        found[f"{line['what']}: {steps}"].append(line["queries"])
    return {name: median(counts) for name, counts in sorted(found.items()) if len(counts) >= 5}


def constant(few: Mapping[str, float], many: Mapping[str, float]) -> dict[str, Any]:
    """How many times as many queries an advance makes among many executions as among few: of all
    kinds of advances that both have seen, the worst.
    """
    shared = [name for name in few.keys() & many.keys() if name.startswith("advance")]
    worst = max((many[name] / few[name] for name in shared), default=0.0)
    return figure(round(worst, 2), 1.0) | {"kinds": len(shared), "ok": bool(shared) and worst <= 1}


def middle_and_most(values: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile, in seconds."""
    found = sorted(values)
    return {"p50": round(median(found), 2), "p95": round(percentile(found, 95), 2)}


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of the sorted `values` that so many percent of them do not exceed."""
    return values[min(len(values) - 1, -(-len(values) * percent // 100) - 1)]


def measure(stack: Stack, arguments: list[str]) -> dict[str, Any]:
    if stack.aws is None:
        raise SystemExit("This measures the simulated AWS only: leave AWS_ENDPOINT_URL unset.")
    given = _arguments(arguments)
    size = Size(given.waves, given.servers)
    control = Control(stack.aws.url)
    control.load(scenario(given.few + given.many, size))
    control.set_speed(given.speed)
    meter = stack.data / "meter"
    meter.mkdir()
    stack.environment |= {
        "DRS_REGIONS": ",".join(REGIONS),
        "METER": str(meter),
        "DJANGO_SETTINGS_MODULE": "tests.performance._worker_settings",
    }
    _prepare(stack)
    plans = [plan(number, size) for number in range(given.few + given.many)]
    say(f"{len(plans)} plans are made")
    worker = stack.run(
        "worker-engine",
        commandlines.worker(name="engine", queues="engine", concurrency=given.processes),
    )
    stack.run("beat", commandlines.beat(), ready=_engine_looks)

    def processes() -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(worker.process.pid).children()
        return found

    answer: dict[str, Any] = {"arguments": vars(given), "cores": os.cpu_count()}
    for name, part, p95 in (
        ("few", plans[: given.few], FEW_P95),
        ("many", plans[given.few :], MANY_P95),
    ):
        before = cpu_seconds(stack)
        run = Run(stack, meter, part)
        run.carry_out(processes, within=given.within)
        answer[name] = run.figures(p95)
        spent = cpu_seconds(stack)
        answer[name]["cpu_seconds"] = {
            each: round(spent[each] - before.get(each, 0), 1) for each in spent
        }
        answer[name]["memory"] = run.memory()
        say(f"{name}: {json.dumps(answer[name])}")
    answer["queries_per_advance"] = constant(
        answer["few"]["queries_by_work"], answer["many"]["queries_by_work"]
    )
    answer["ok"] = all(each["ok"] for each in figures(answer))
    return answer


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench engine")
    parser.add_argument("--few", type=int, default=5, help="executions, to compare with")
    parser.add_argument("--many", type=int, default=100, help="executions at once")
    parser.add_argument("--waves", type=int, default=10)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2, help="of the worker")
    parser.add_argument("--speed", type=float, default=6, help="of the simulated AWS")
    parser.add_argument("--within", type=float, default=1800, help="seconds, for either")
    return parser.parse_args(arguments)


def _prepare(stack: Stack) -> None:
    import django
    from django.core.management import call_command

    os.environ.update(stack.environment)
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("sync_schedules", stdout=sys.stderr)
    from django_celery_beat.models import PeriodicTask

    # The others' workers do not run.
    PeriodicTask.objects.exclude(task="recovery.tick").update(enabled=False)
    register()


def _engine_looks() -> bool:
    from drportal.heartbeats import ENGINE, last_heard

    return ENGINE in last_heard()


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """What each process of the stack has used, its children's time included, by name."""
    found: dict[str, float] = {}
    for child in psutil.Process().children():
        name = child.name()
        family = [child, *child.children(recursive=True)]
        command = " ".join(child.cmdline())
        for word in ("simulator", "worker", "beat"):
            name = word if word in command else name
        found[name] = found.get(name, 0) + sum(
            # With those of its children that have ended, such as PostgreSQL's sessions.
            sum(each.cpu_times()[:4])
            for each in family
        )
    times = psutil.Process().cpu_times()
    return found | {"bench": times.user + times.system}


def say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")
