"""Service Quotas, as far as it concerns DRS: moto's own knows no quota of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from drportal.simulator import quotas
from drportal.simulator.protocol import Answer, Asked, Refusal, answer
from drportal.simulator.settings import Quotas
from drportal.simulator.world import world

SERVICE = "servicequotas"
_LARGEST_PAGE = 100  # the model's bound of MaxResults
_ONE_JOB_PER_SERVER = "L-DD6D028C"
_LAUNCH_ACTIONS = "L-0588D03B"
_TEMPLATES = "L-1F3FAE4D"


@dataclass(frozen=True)
class _Line:
    code: str
    name: str
    value: int
    adjustable: bool = False


def _lines(limits: Quotas) -> list[_Line]:
    return [
        _Line(
            quotas.REPLICATING_SERVERS,
            "Number of replicating source servers",
            limits.replicating_servers,
        ),
        _Line(
            quotas.TOTAL_SERVERS,
            "Total number of source servers",
            limits.total_servers,
            adjustable=True,
        ),
        _Line(quotas.SERVERS_PER_JOB, "Source servers in a single job", limits.servers_per_job),
        _Line(quotas.SERVERS_IN_JOBS, "Source servers in all jobs", limits.servers_in_jobs),
        _Line(quotas.CONCURRENT_JOBS, "Concurrent jobs in progress", limits.concurrent_jobs),
        _Line(_ONE_JOB_PER_SERVER, "Concurrent jobs per source server", 1),
        _Line(_LAUNCH_ACTIONS, "Launch actions per resource", limits.launch_actions_per_resource),
        _Line(_TEMPLATES, "Launch configuration templates", limits.launch_configuration_templates),
    ]


def answered(wanted: Asked, account: str) -> Answer | None:
    """The answer to a question about the quotas of DRS; None for any other question."""
    if wanted.service != SERVICE or wanted.params.get("ServiceCode") != "drs":
        return None
    known = {"ListServiceQuotas": _listed, "GetServiceQuota": _one}
    answers = known.get(wanted.operation)
    return answers(wanted, account) if answers else None


def _listed(wanted: Asked, account: str) -> Answer:
    lines = _lines(world.settings.quotas)
    asked_for = int(wanted.params.get("MaxResults") or _LARGEST_PAGE)
    size = min(asked_for, _LARGEST_PAGE, world.settings.default_page_size)
    token = str(wanted.params.get("NextToken") or "0")
    if not token.isdecimal():
        return answer(
            Refusal(400, "InvalidPaginationTokenException", "Invalid NextToken."), SERVICE
        )
    start = int(token)
    body: dict[str, Any] = {
        "Quotas": [_shown(line, wanted, account) for line in lines[start : start + size]]
    }
    if start + size < len(lines):
        body["NextToken"] = str(start + size)
    return _well(body)


def _one(wanted: Asked, account: str) -> Answer:
    for line in _lines(world.settings.quotas):
        if line.code == wanted.params.get("QuotaCode"):
            return _well({"Quota": _shown(line, wanted, account)})
    return answer(Refusal(400, "NoSuchResourceException", "The quota does not exist."), SERVICE)


def _shown(line: _Line, wanted: Asked, account: str) -> dict[str, Any]:
    return {
        "ServiceCode": "drs",
        "ServiceName": "AWS Elastic Disaster Recovery",
        "QuotaArn": f"arn:aws:servicequotas:{wanted.region}:{account}:drs/{line.code}",
        "QuotaCode": line.code,
        "QuotaName": line.name,
        "Value": float(line.value),
        "Unit": "None",
        "Adjustable": line.adjustable,
        "GlobalQuota": False,
    }


def _well(body: dict[str, Any]) -> Answer:
    return Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body))
