"""Post-launch actions of a source server or of the account's launch configuration template."""

from __future__ import annotations

import copy
from typing import Any

from drportal.simulator.exceptions import (
    ConflictException,
    ResourceNotFoundException,
    ValidationException,
)
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.paging import page
from drportal.simulator.world import world

# AWS's own documents of the type Automation among those that the DRS console offers. Any other
# document is taken for a command.
AUTOMATIONS = frozenset(
    {
        "AWS-CreateImage",
        "AWSMigration-ValidateHttpResponse",
        "AWSMigration-ValidateNetworkConnectivity",
        "AWSMigration-VerifyMountedVolumes",
    }
)


def put_launch_action(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Adds the action, or replaces the one with this id. The order is unique in a resource."""
    resource, action_id = params["resourceId"], params["actionId"]
    others = [
        each for each in _actions(backend, resource).values() if each["actionId"] != action_id
    ]
    if any(each["order"] == params["order"] for each in others):
        raise ConflictException(
            f"{resource} already has a launch action with the order {params['order']}.",
            resourceId=resource,
            resourceType="LaunchAction",
        )
    allowed = world.settings.quotas.launch_actions_per_resource
    if len(others) >= allowed:
        # PutLaunchAction models no ServiceQuotaExceededException.
        raise ValidationException(f"At most {allowed} launch actions per resource.")
    action = {name: value for name, value in params.items() if name != "resourceId"}
    action["type"] = _type(params["actionCode"])
    backend.launch_actions.setdefault(resource, {})[action_id] = action
    return {"resourceId": resource, **copy.deepcopy(action)}


def list_launch_actions(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """In the order in which they run. `filters.actionIds` with unknown ids just shows fewer."""
    resource = params["resourceId"]
    wanted = params.get("filters", {}).get("actionIds")
    shown, token = page(
        (
            each
            for each in _actions(backend, resource).values()
            if not wanted or each["actionId"] in wanted
        ),
        key=lambda action: (action["order"], action["actionId"]),
        next_token=params.get("nextToken"),
        max_results=params.get("maxResults"),
        default=world.settings.default_page_size,
        scope=f"launch actions of {resource}",
    )
    return {"items": copy.deepcopy(shown), "nextToken": token}


def delete_launch_action(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """ResourceNotFoundException for an action that the resource does not have."""
    actions = _actions(backend, params["resourceId"])
    if params["actionId"] not in actions:
        raise _missing(params["actionId"], "LaunchAction")
    del actions[params["actionId"]]
    return {}


def active_actions(backend: DRSBackend, resource_id: str) -> list[dict[str, Any]]:
    """The active actions of a resource in the order in which they run, by wire name."""
    actions = backend.launch_actions.get(resource_id, {}).values()
    active = [each for each in actions if each["active"]]
    return copy.deepcopy(sorted(active, key=lambda each: each["order"]))


def copy_to_server(backend: DRSBackend, server_id: str) -> None:
    """Give a server that is being registered the actions of the account's template, if any."""
    for template_id in backend.launch_configuration_templates:
        actions = backend.launch_actions.get(template_id)
        if actions:
            backend.launch_actions[server_id] = copy.deepcopy(actions)


def _actions(backend: DRSBackend, resource_id: str) -> dict[str, dict[str, Any]]:
    """The actions of a server or template; ResourceNotFoundException when it does not exist."""
    is_server = resource_id.startswith("s-")
    owners = backend.servers if is_server else backend.launch_configuration_templates
    if resource_id not in owners:
        raise _missing(resource_id, "SourceServer" if is_server else "LaunchConfigurationTemplate")
    return backend.launch_actions.get(resource_id, {})


def _missing(identifier: str, kind: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(
        f"{kind} {identifier} does not exist.", resource_id=identifier, resource_type=kind
    )


def _type(code: str) -> str:
    return "SSM_AUTOMATION" if code in AUTOMATIONS else "SSM_COMMAND"


HANDLERS: dict[str, Handler] = {
    "PutLaunchAction": put_launch_action,
    "ListLaunchActions": list_launch_actions,
    "DeleteLaunchAction": delete_launch_action,
}
