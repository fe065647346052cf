"""What a preflight asks of AWS for each server by itself: one server after the other in each
account and Region, so that DRS is not asked faster than it likes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.network import Network
from drportal.aws.scope import Scope
from protection.rules import launch as rules
from protection.services import launch_validation as validation
from protection.services import launch_writing
from recovery.engine.options import Wish
from recovery.engine.preflight_facts import Against, LaunchFacts, Point, Told

T = TypeVar("T")

# Whoever does not answer so many times in a row is not asked for the rest.
_PATIENCE: Final = 3
# These are about the one server, and say nothing of the next.
_OF_ONE_SERVER: Final = frozenset({Failure.NOT_FOUND, Failure.INVALID, Failure.CONFLICT})
# What is looked up of that which a server would be launched with.
_LOOKED_AT: Final = (
    "subnetId",
    "securityGroupIds",
    "instanceType",
    "instanceProfileName",
    "staticPrivateIp",
)
_SIZING: Final = "targetInstanceTypeRightSizingMethod"


def points(scope: Scope, wishes: Mapping[str, Wish]) -> dict[str, Told[Point]]:
    """The recovery point that each server would be launched from, by what is wished for it."""

    def ask(server_id: str) -> Told[Point]:
        wish = wishes[server_id]
        found = Drs(scope).recovery_point(
            server_id, snapshot_id=wish.snapshot_id, not_after=wish.not_after
        )
        return Told(Point(found.snapshot_id, found.at) if found else None)

    return _each(sorted(wishes), ask, lambda error: Told(problem=error.detail))


def launches(
    scope: Scope, intended: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, LaunchFacts], Told[Mapping[str, int | None]]]:
    """How each server would be launched now, by what DRS and EC2 hold of it and what the portal
    intends; and how many addresses are free in the subnets that those name.
    """
    answers = validation.Answers(scope)

    def ask(server_id: str) -> LaunchFacts:
        held = launch_writing.held(scope, server_id)
        wanted = intended[server_id]
        values = {**_looked_at(held), **wanted}
        return LaunchFacts(
            against=_against(answers, validation.Subject(values, server_id)),
            subnet_id=str(values.get("subnetId") or ""),
            differs=tuple(each.field for each in rules.differences(wanted, held)),
        )

    found = _each(sorted(intended), ask, lambda error: LaunchFacts(problem=error.detail))
    subnets = sorted({each.subnet_id for each in found.values() if each.subnet_id})
    return found, _free(scope, subnets)


def _against(answers: validation.Answers, subject: validation.Subject) -> tuple[Against, ...]:
    try:
        complaints = validation.complaints_about(answers, subject)
    except AwsError as error:  # the same question is not asked again for the next server
        return (Against(error.detail, unasked=True),)
    return tuple(
        Against(each.message, unasked=each.code == validation.NOT_ASKED) for each in complaints
    )


def _looked_at(held: rules.Held) -> dict[str, Any]:
    values = {name: rules.BY_NAME[name].read(held.template, None) for name in _LOOKED_AT}
    if held.configuration.get(_SIZING, "NONE") != "NONE":
        values.pop("instanceType")  # DRS chooses another one at the launch
    return {name: value for name, value in values.items() if value}


def _free(scope: Scope, subnets: Sequence[str]) -> Told[Mapping[str, int | None]]:
    if not subnets:
        return Told({})
    try:
        found = Network(scope).subnets(subnets)
    except AwsError as error:
        return Told(problem=error.detail)
    return Told({each.subnet_id: each.free_addresses for each in found})


def _each(
    server_ids: Sequence[str], ask: Callable[[str], T], untold: Callable[[AwsError], T]
) -> dict[str, T]:
    """What each server is told to be. Once several in a row were not answered, the rest is not
    asked, and not known for the same reason.
    """
    found: dict[str, T] = {}
    in_a_row: list[AwsError] = []
    for server_id in server_ids:
        if len(in_a_row) >= _PATIENCE:
            found[server_id] = untold(in_a_row[-1])
            continue
        try:
            found[server_id] = ask(server_id)
            in_a_row = []
        except AwsError as error:
            found[server_id] = untold(error)
            in_a_row = [] if error.failure in _OF_ONE_SERVER else [*in_a_row, error]
    return found
