"""The demo's drill: started, steered and followed through the REST API."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from drportal.embedded.client import ApiRefused, Client
from drportal.embedded.facts import WaveFacts

_ENDED = {"COMPLETED", "PARTIAL", "FAILED", "TIMED_OUT", "CANCELLED"}
_PAUSE = 0.5


class DrillTookTooLong(RuntimeError):
    """The drill had not ended when time ran out."""


def run_drill(
    client: Client, plan_id: str, *, show: Callable[[dict[str, Any]], None], within: float
) -> dict[str, Any]:
    """Start a drill of the plan, open its gates as they are reached, and follow it to its end.

    Returns the execution as the API tells it at the end. Raises DrillTookTooLong.
    """
    look_first(client, plan_id)
    started = client.post(
        "executions", {"plan_id": plan_id, "kind": "DRILL", "reason": "Demo of the portal"}
    )
    deadline = time.monotonic() + within
    opened: set[int] = set()
    while True:
        execution = client.get(f"executions/{started['id']}")
        show(execution)
        if execution["state"] in _ENDED:
            return execution
        for wave in execution["waves"]:
            waiting = wave["gate"] and wave["gate"]["waiting"]
            if waiting and wave["position"] not in opened:
                opened.add(wave["position"])
                _open_gate(client, execution, wave)
        if time.monotonic() > deadline:
            raise DrillTookTooLong(f"After {within:g} s the drill is {execution['state']}.")
        time.sleep(_PAUSE)


def look_first(client: Client, plan_id: str, *, within: float = 300) -> dict[str, Any]:
    """Run a preflight of the plan, and return what it found. Raises DrillTookTooLong.

    One that the schedule has asked for already will do.
    """
    path = f"recovery-plans/{plan_id}/preflight"
    try:
        client.post(path, {})
    except ApiRefused as refused:
        if refused.code != "recovery.preflight_already_running":
            raise
    deadline = time.monotonic() + within
    while True:
        found = client.get(path)
        if found["state"] != "RUNNING":
            return found
        if time.monotonic() > deadline:
            raise DrillTookTooLong("No worker brought the preflight to an end.")
        time.sleep(_PAUSE)


def cancel_leftovers(client: Client, *, within: float = 120) -> int:
    """Cancel the executions that an earlier run left behind, and wait until they have ended.

    Returns how many there were. Raises DrillTookTooLong.
    """
    left = [execution["id"] for execution in client.every("executions", active="true")]
    for execution_id in left:
        client.post(f"executions/{execution_id}/cancel", {"reason": "The demo was stopped."})
    deadline = time.monotonic() + within
    for execution_id in left:
        while client.get(f"executions/{execution_id}")["state"] not in _ENDED:
            if time.monotonic() > deadline:
                raise DrillTookTooLong(f"Execution {execution_id} of an earlier run does not end.")
            time.sleep(_PAUSE)
    return len(left)


def wave_facts(execution: dict[str, Any]) -> list[WaveFacts]:
    """The waves of an execution, as `facts` wants them."""
    return [
        WaveFacts(
            position=wave["position"],
            after=tuple(wave["depends_on"]),
            servers=frozenset(
                (server["account_id"], server["region"], server["server_id"])
                for server in wave["servers"]
            ),
            gate_opened_at=_time(wave["gate"]["opened_at"]) if wave["gate"] else None,
        )
        for wave in execution["waves"]
    ]


def _open_gate(client: Client, execution: dict[str, Any], wave: dict[str, Any]) -> None:
    client.post(
        f"executions/{execution['id']}/resume",
        {"position": wave["position"], "comment": "Checked: the demo goes on."},
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
