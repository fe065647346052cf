"""Every operation of DRS that the simulator has, by the name AWS gives it."""

from __future__ import annotations

from drportal.simulator import (
    configurations,
    failback,
    instances,
    jobs,
    launch_actions,
    recovery,
    reversal,
    servers,
    service,
    snapshots,
    staging,
    tags,
    templates,
    termination,
)
from drportal.simulator.handlers import Handler

HANDLERS: dict[str, Handler] = {
    **configurations.HANDLERS,
    **failback.HANDLERS,
    **instances.HANDLERS,
    **jobs.HANDLERS,
    **launch_actions.HANDLERS,
    **recovery.HANDLERS,
    **reversal.HANDLERS,
    **servers.HANDLERS,
    **service.HANDLERS,
    **snapshots.HANDLERS,
    **staging.HANDLERS,
    **tags.HANDLERS,
    **templates.HANDLERS,
    **termination.HANDLERS,
}
