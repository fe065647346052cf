"""The account's launch and replication configuration templates.

A template is copied to a server when the server is registered; changing a template changes no
server (DRS user guide).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from drportal.simulator.configurations import LAUNCH_DEFAULTS, REPLICATION_DEFAULTS
from drportal.simulator.exceptions import (
    ResourceNotFoundException,
    ServiceQuotaExceededException,
    ValidationException,
)
from drportal.simulator.handlers import Handler
from drportal.simulator.identifiers import fresh
from drportal.simulator.models import DRSBackend
from drportal.simulator.paging import page
from drportal.simulator.world import world

LAUNCH = "launchConfigurationTemplateID"
REPLICATION = "replicationConfigurationTemplateID"
LAUNCH_TEMPLATE_QUOTA = "L-1F3FAE4D"


def create_launch_configuration_template(
    backend: DRSBackend, *, tags: dict[str, str] | None = None, **given: Any
) -> dict[str, Any]:
    """One per account and Region; ServiceQuotaExceededException for a second."""
    allowed = world.settings.quotas.launch_configuration_templates
    if len(backend.launch_configuration_templates) >= allowed:
        raise ServiceQuotaExceededException(
            f"At most {allowed} launch configuration template(s) per account and Region.",
            quota_code=LAUNCH_TEMPLATE_QUOTA,
            resourceType="LaunchConfigurationTemplate",
        )
    template = deepcopy(LAUNCH_DEFAULTS) | {"launchIntoSourceInstance": False} | given
    _check_launch_into(template)
    _add(backend, backend.launch_configuration_templates, LAUNCH, template, tags)
    return {"launchConfigurationTemplate": _shown(backend, template)}


def update_launch_configuration_template(backend: DRSBackend, **given: Any) -> dict[str, Any]:
    """Changes the members given. Servers that exist keep their own settings."""
    template = _found(backend.launch_configuration_templates, given[LAUNCH], LAUNCH)
    _check_launch_into(template | given)
    template.update(given)
    return {"launchConfigurationTemplate": _shown(backend, template)}


def describe_launch_configuration_templates(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """ResourceNotFoundException for an id that is no template."""
    return _described(backend, backend.launch_configuration_templates, LAUNCH, params)


def delete_launch_configuration_template(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Its launch actions go with it."""
    _remove(backend, backend.launch_configuration_templates, params[LAUNCH], LAUNCH)
    backend.launch_actions.pop(params[LAUNCH], None)
    return {}


def create_replication_configuration_template(
    backend: DRSBackend, *, tags: dict[str, str] | None = None, **given: Any
) -> dict[str, Any]:
    """What is not given is as on a server of an account without templates."""
    template = deepcopy(REPLICATION_DEFAULTS) | given
    _add(backend, backend.replication_configuration_templates, REPLICATION, template, tags)
    return _shown(backend, template)


def update_replication_configuration_template(
    backend: DRSBackend, *, arn: str | None = None, **given: Any
) -> dict[str, Any]:
    """Changes the members given. `arn` is not one of them, but must fit when it is sent."""
    template = _found(backend.replication_configuration_templates, given[REPLICATION], REPLICATION)
    if arn not in {None, template["arn"]}:
        raise _invalid("arn", "is the ARN of something else")
    template.update(given)
    return _shown(backend, template)


def describe_replication_configuration_templates(
    backend: DRSBackend, **params: Any
) -> dict[str, Any]:
    """ResourceNotFoundException for an id that is no template."""
    return _described(backend, backend.replication_configuration_templates, REPLICATION, params)


def delete_replication_configuration_template(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Servers keep the replication settings they got from it."""
    _remove(backend, backend.replication_configuration_templates, params[REPLICATION], REPLICATION)
    return {}


def _kind(id_member: str) -> str:
    return id_member[0].upper() + id_member[1:].removesuffix("ID")


def _arn_kind(id_member: str) -> str:
    words = _kind(id_member).removesuffix("ConfigurationTemplate")
    return f"{words.lower()}-configuration-template"


def _add(
    backend: DRSBackend,
    templates: dict[str, dict[str, Any]],
    id_member: str,
    template: dict[str, Any],
    tags: dict[str, str] | None,
) -> None:
    identifier = fresh("lct-" if id_member == LAUNCH else "rct-")
    template[id_member] = identifier
    template["arn"] = backend.arn_of(_arn_kind(id_member), identifier)
    templates[identifier] = template
    backend.tags[template["arn"]] = dict(tags or {})


def _found(templates: dict[str, dict[str, Any]], identifier: str, id_member: str) -> dict[str, Any]:
    if identifier not in templates:
        raise ResourceNotFoundException(
            f"{_kind(id_member)} {identifier} does not exist.",
            resource_id=identifier,
            resource_type=_kind(id_member),
        )
    return templates[identifier]


def _shown(backend: DRSBackend, template: dict[str, Any]) -> dict[str, Any]:
    return deepcopy(template) | {"tags": dict(backend.tags[template["arn"]])}


def _described(
    backend: DRSBackend,
    templates: dict[str, dict[str, Any]],
    id_member: str,
    params: dict[str, Any],
) -> dict[str, Any]:
    wanted = [
        _found(templates, each, id_member)
        for each in dict.fromkeys(params.get(f"{id_member}s", ()))
    ]
    shown, token = page(
        wanted or templates.values(),
        key=lambda template: template[id_member],
        next_token=params.get("nextToken"),
        max_results=params.get("maxResults"),
        default=world.settings.default_page_size,
        scope=id_member,
    )
    return {"items": [_shown(backend, each) for each in shown], "nextToken": token}


def _remove(
    backend: DRSBackend, templates: dict[str, dict[str, Any]], identifier: str, id_member: str
) -> None:
    template = _found(templates, identifier, id_member)
    del templates[identifier]
    del backend.tags[template["arn"]]


def _check_launch_into(template: dict[str, Any]) -> None:
    """DRS refuses to launch into an instance whose tags or private IP it would have to set."""
    if not template["launchIntoSourceInstance"]:
        return
    for member in ("copyTags", "copyPrivateIp"):
        if template[member]:
            raise _invalid(member, "must be false with launchIntoSourceInstance")


def _invalid(member: str, message: str) -> ValidationException:
    return ValidationException(
        f"{member} {message}.", reason="fieldValidationFailed", fields=[(member, message)]
    )


HANDLERS: dict[str, Handler] = {
    "CreateLaunchConfigurationTemplate": create_launch_configuration_template,
    "UpdateLaunchConfigurationTemplate": update_launch_configuration_template,
    "DescribeLaunchConfigurationTemplates": describe_launch_configuration_templates,
    "DeleteLaunchConfigurationTemplate": delete_launch_configuration_template,
    "CreateReplicationConfigurationTemplate": create_replication_configuration_template,
    "UpdateReplicationConfigurationTemplate": update_replication_configuration_template,
    "DescribeReplicationConfigurationTemplates": describe_replication_configuration_templates,
    "DeleteReplicationConfigurationTemplate": delete_replication_configuration_template,
}
