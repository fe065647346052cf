"""What the portal says of executions, held against what DRS has really done.

DRS's own jobs and instances are the truth, as the simulator tells them when the faults are over.
Nothing here asks the portal's services: it reads rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from recovery.models import Execution, LaunchJob, ServerClaim, Termination
from recovery.states import (
    EXECUTION,
    JOB,
    TERMINATION,
    InstanceOutcome,
    ServerState,
    TerminationState,
)

Place = tuple[str, str, str]  # account, Region, and the id of a server or of an instance

# What the portal may say of a server, by DRS's last word; None if DRS never had it in a job.
_TRUE: Mapping[str | None, frozenset[str]] = {
    None: frozenset(
        {ServerState.FAILED, ServerState.BLOCKED, ServerState.CANCELLED, ServerState.LEFT_OUT}
    ),
    "LAUNCHED": frozenset({ServerState.LAUNCHED}),
    "FAILED": frozenset({ServerState.FAILED, ServerState.SKIPPED}),
}
_AWAY = frozenset({InstanceOutcome.TERMINATED, InstanceOutcome.GONE})


@dataclass
class Verdict:
    """What was found wrong, sentence by sentence."""

    duplicate_jobs: list[str] = field(default_factory=list)
    lost_servers: list[str] = field(default_factory=list)
    without_an_end: list[str] = field(default_factory=list)
    duplicate_terminations: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    def all(self) -> list[str]:
        return [f"{name}: {sentence}" for name, found in vars(self).items() for sentence in found]

    def add(self, other: "Verdict") -> None:
        for name, found in vars(other).items():
            getattr(self, name).extend(found)


def judge(jobs: Iterable[dict[str, Any]], instances: Mapping[Place, str]) -> Verdict:
    """Every execution and clean-up of the database against DRS's `jobs`, in the shape of its
    answers with their `account` and `region`, and the recovery `instances` that are there now, by
    account, Region and instance, with the server of each.
    """
    jobs = list(jobs)
    verdict = Verdict()
    _ends(verdict)
    launches = _by_server(jobs, "LAUNCH")
    _launches(verdict, launches)
    _journal(verdict, jobs)
    servers = {
        (row.account_id, row.region, row.server_id): row
        for execution in Execution.objects.all()
        for row in execution.servers.all()
    }
    for place, row in servers.items():
        _server(verdict, row, launches.get(place, []))
    _terminations(verdict, jobs, instances)
    return verdict


def _by_server(jobs: Iterable[dict[str, Any]], kind: str) -> dict[Place, list[dict[str, Any]]]:
    found: defaultdict[Place, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job["type"] == kind:
            for entry in job["participatingServers"]:
                place = (job["account"], job["region"], entry["sourceServerID"])
                found[place].append(entry | {"job": job["jobID"]})
    return dict(found)


def _ends(verdict: Verdict) -> None:
    live = Execution.objects.filter(state__in=sorted(EXECUTION.active))
    verdict.without_an_end += [f"{each} {each.pk} is {each.state}: {each.message}" for each in live]
    cleaning = Termination.objects.filter(state__in=sorted(TERMINATION.active))
    verdict.without_an_end += [f"clean-up {each.pk} is {each.state}" for each in cleaning]
    launching = LaunchJob.objects.filter(state__in=sorted(JOB.active))
    verdict.without_an_end += [f"{each} is {each.state}: {each.message}" for each in launching]
    claims = ServerClaim.objects.filter(released_at=None)
    verdict.without_an_end += [f"{each} is held still" for each in claims]


def _launches(verdict: Verdict, launches: Mapping[Place, list[dict[str, Any]]]) -> None:
    """No person asked for any server twice, so each is in one launch job at most."""
    for place, found in launches.items():
        verdict.duplicate_jobs += [f"{place} is in {each['job']} too" for each in found[1:]]


def _journal(verdict: Verdict, jobs: Iterable[dict[str, Any]]) -> None:
    """Of a termination it may only be known that the instances are gone: DRS may list a job when it
    is long over.
    """
    known = set(LaunchJob.objects.values_list("drs_job_id", flat=True))
    for job in jobs:
        if job["type"] == "LAUNCH" and job["jobID"] not in known:
            verdict.lost_servers.append(f"nobody knows of {job['jobID']}")


def _server(verdict: Verdict, row: Any, launches: list[dict[str, Any]]) -> None:
    last = launches[-1]["launchStatus"] if launches else None
    true = _TRUE.get(last, frozenset())
    if row.state in true:
        return
    said = f"{row.name} is {row.state} ({row.message}), and DRS says {last}"
    if row.state in {ServerState.PENDING, ServerState.LAUNCHING, ServerState.UNKNOWN}:
        verdict.lost_servers.append(said)
    else:
        verdict.untrue.append(said)


def _terminations(
    verdict: Verdict, jobs: Iterable[dict[str, Any]], instances: Mapping[Place, str]
) -> None:
    for place, found in _by_server(jobs, "TERMINATE").items():
        verdict.duplicate_terminations += [f"{place}: {each['job']} too" for each in found[1:]]
    for termination in Termination.objects.select_related("execution"):
        rows = list(termination.instances.select_related("server"))
        for row in rows:
            _instance(verdict, row, instances)
        launched = Q(state=ServerState.LAUNCHED) & ~Q(pk__in=[row.server.pk for row in rows])
        verdict.lost_servers += [
            f"{server.name} was launched, and no clean-up knows of it"
            for server in termination.execution.servers.filter(launched)
        ]
        there = [row for row in rows if row.state not in _AWAY]
        if (termination.state == TerminationState.COMPLETED) == bool(there):
            verdict.untrue.append(f"clean-up {termination.pk} is {termination.state}: {there}")


def _instance(verdict: Verdict, row: Any, instances: Mapping[Place, str]) -> None:
    place = row.server.account_id, row.server.region
    there = (*place, row.instance_id) in instances
    said = f"{row.instance_id} of {row.server.name} is {row.state} ({row.message})"
    if there and row.state in _AWAY:
        verdict.untrue.append(f"{said}, and it is there")
    elif not there and row.state == InstanceOutcome.LEFT:
        verdict.untrue.append(f"{said}, and it is not there")
    elif row.state == InstanceOutcome.UNKNOWN:
        verdict.lost_servers.append(said)
