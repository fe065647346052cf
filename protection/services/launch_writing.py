"""Making DRS and EC2 hold one server's launch settings, and reading what they hold.

DRS first: it may make a version of the launch template of its own. Then a new version from what
is the default by then, with nothing changed but what is set; and at last a look at both, because
only what is read back is known to be there. Nothing is written where nothing differs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drportal.aws.launch import LaunchConfigurations
from drportal.aws.launch_templates import LaunchTemplates, TemplateVersion
from drportal.aws.scope import Scope
from drportal.transactions import reaches_outside
from protection.rules import launch as rules
from protection.services import launch_validation as validation


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one server. `template_version` is the default version now."""

    template_version: int
    problems: tuple[str, ...] = ()


@reaches_outside
def held(scope: Scope, server_id: str) -> rules.Held:
    """What DRS and the default version of its launch template hold. Raises AwsError."""
    configuration = LaunchConfigurations(scope).of(server_id)
    template = LaunchTemplates(scope).default(configuration.template_id)
    return rules.Held(configuration.members, template.data)


@reaches_outside
def write(
    answers: validation.Answers,
    server_id: str,
    wanted: Mapping[str, Any],
    *,
    who: str,
    unverified: bool,
    go_on: Callable[[], None],
) -> Written:
    """Make AWS hold `wanted` for a server, where null takes something away.

    With `unverified`, what AWS may not be asked about does not block. `go_on` is called before
    each write and raises if it must not be done any more. Raises AwsError; doing it again goes on
    from where it stopped.
    """
    configurations, templates = LaunchConfigurations(answers.scope), LaunchTemplates(answers.scope)
    configuration = configurations.of(server_id)
    template = templates.default(configuration.template_id)
    before = rules.Held(configuration.members, template.data)
    if not rules.differences(wanted, before):
        return Written(template.number)
    problems = _against(answers, server_id, wanted, unverified=unverified)
    if problems:
        return Written(template.number, problems)
    change = rules.configuration_change(wanted, configuration.members)
    if change:
        go_on()
        configuration = configurations.update(server_id, change)
        template = templates.default(configuration.template_id)
    _write_template(templates, template, wanted, who=who, go_on=go_on)
    configuration = configurations.of(server_id)
    template = templates.default(configuration.template_id)
    left = rules.differences(wanted, rules.Held(configuration.members, template.data))
    return Written(template.number, tuple(_not_taken(difference) for difference in left))


def _against(
    answers: validation.Answers, server_id: str, wanted: Mapping[str, Any], *, unverified: bool
) -> tuple[str, ...]:
    """Why the settings would not hold now. They may have been right when they were saved."""
    subject = validation.Subject(rules.without_withdrawals(wanted), server_id)
    found = validation.complaints_about(answers, subject)
    return tuple(
        f"{complaint.code}: {complaint.message}"
        for complaint in found
        if complaint.code != validation.NOT_ASKED or not unverified
    )


def _write_template(
    templates: LaunchTemplates,
    source: TemplateVersion,
    wanted: Mapping[str, Any],
    *,
    who: str,
    go_on: Callable[[], None],
) -> None:
    change = rules.template_change(wanted, source.data)
    if not change:
        return
    names = ", ".join([*change.members, *(f"no {name}" for name in sorted(change.gone))])
    go_on()
    number = templates.make_version(
        source, change.members, gone=change.gone, description=f"DR portal, for {who}: {names}"
    )
    go_on()
    templates.make_default(source.template_id, number)


def _not_taken(difference: rules.Difference) -> str:
    return (
        f"{difference.field} was set to {difference.intended!r}, and is {difference.actual!r} "
        "when read back."
    )
