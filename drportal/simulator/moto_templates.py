"""What moto's EC2 leaves out of launch templates: versions that inherit, and CPU credits."""

from __future__ import annotations

from copy import deepcopy

from moto.core.responses import ActionResult
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import convert_tag_spec

_CREDITS = "simulated_cpu_credits"
_make_version = LaunchTemplates.create_launch_template_version


def apply() -> None:
    """Replace the operations in this process. Again does nothing new."""
    LaunchTemplates.create_launch_template_version = _inheriting_version  # type: ignore[assignment,method-assign]  # moto has no plug-in
    InstanceResponse.describe_instance_credit_specifications = _credits  # type: ignore[assignment,method-assign]  # likewise


def spend_credits(instance: object, data: dict[str, dict[str, str]]) -> None:
    """Remember how an instance that is launched from this LaunchTemplateData spends credits."""
    said = data.get("CreditSpecification", {}).get("CpuCredits", "standard")
    setattr(instance, _CREDITS, said)


def _inheriting_version(response: LaunchTemplates) -> ActionResult:
    # "The new version inherits the same launch parameters as the source version, except for
    # parameters that you specify" (EC2 API reference): whole members, so a list replaces a list.
    source = response._get_param("SourceVersion")  # noqa: SLF001 - moto's own way to ask
    if not source:
        return _make_version(response)
    template = _named(response)
    inherited = deepcopy(template.get_version(source).data)
    answer = _make_version(response)
    version = template.latest_version()
    for name, value in inherited.items():
        version.data.setdefault(name, value)
    specified = convert_tag_spec(version.data.get("TagSpecifications", []))
    version.instance_tags = specified.get("instance", {})
    return answer


def _named(response: LaunchTemplates) -> LaunchTemplate:
    identifier = response._get_param("LaunchTemplateId")  # noqa: SLF001 - moto's own way to ask
    if identifier:
        return response.ec2_backend.get_launch_template(identifier)
    name = response._get_param("LaunchTemplateName")  # noqa: SLF001 - moto's own way to ask
    return response.ec2_backend.get_launch_template_by_name(name)


def _credits(response: InstanceResponse) -> ActionResult:
    wanted = response._get_param("InstanceIds", [])  # noqa: SLF001 - moto's own way to ask
    found = response.ec2_backend.describe_instance_credit_specifications(wanted)
    return ActionResult(
        {
            "InstanceCreditSpecifications": [
                {"InstanceId": each.id, "CpuCredits": getattr(each, _CREDITS, "standard")}
                for each in found
            ]
        }
    )
