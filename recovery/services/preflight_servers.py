"""What a preflight asks of AWS for each server by itself: a few servers at a time in each account
and Region, so that DRS is not asked faster than it likes, and hundreds do not take long.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from django.db import connection

from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.network import Network
from drportal.aws.scope import Scope
from drportal.aws.session import readable
from drportal.observability import correlated, correlation_id
from protection.choices import Readiness
from protection.rules import launch as rules
from protection.rules.facts import facts as columns_of
from protection.rules.readiness import verdict
from protection.services import launch_validation as validation
from protection.services import launch_writing
from recovery.engine.options import Wish
from recovery.engine.preflight_facts import Against, LaunchFacts, Listed, Point, Told

T = TypeVar("T")

_THREADS: Final = 4
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


def listed(scope: Scope, server_ids: Sequence[str]) -> dict[str, Listed]:
    """How DRS says now that each server stands; one that it does not list cannot be launched."""
    told = Drs(scope).source_servers_named(server_ids)
    with readable("DescribeSourceServers", scope):
        found = {each.server_id: _listed(each.raw) for each in told}
    missing = Listed(str(Readiness.NOT_READY), "DRS does not list it")
    return {server_id: found.get(server_id, missing) for server_id in server_ids}


def _listed(raw: Mapping[str, Any]) -> Listed:
    told = columns_of(dict(raw))
    found = verdict(
        replication_state=told["replication_state"],
        first_synced=told["first_synced"],
        staging_status=told["staging_status"],
        staging_error=told["staging_error"],
        gone=False,
    )
    return Listed(str(found.readiness), found.reason, told["lag"])


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

    found = _each(
        sorted(intended), ask, lambda error: LaunchFacts(problem=error.detail), at_once=_THREADS
    )
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
    server_ids: Sequence[str],
    ask: Callable[[str], T],
    untold: Callable[[AwsError], T],
    *,
    at_once: int = 1,
) -> dict[str, T]:
    """What each server is told to be. Once several in a row were not answered, the rest is not
    asked, and not known for the same reason.
    """
    found: dict[str, T] = {}
    in_a_row: list[AwsError] = []
    with ThreadPoolExecutor(at_once, thread_name_prefix="preflight") as pool:
        for start in range(0, len(server_ids), at_once):
            if len(in_a_row) >= _PATIENCE:
                found |= {each: untold(in_a_row[-1]) for each in server_ids[start:]}
                break
            now = server_ids[start : start + at_once]
            for server_id, answer in zip(now, pool.map(_asking(ask), now), strict=True):
                if isinstance(answer, AwsError):
                    found[server_id] = untold(answer)
                    in_a_row = [] if answer.failure in _OF_ONE_SERVER else [*in_a_row, answer]
                else:
                    found[server_id] = answer
                    in_a_row = []
    return found


def _asking(ask: Callable[[str], T]) -> Callable[[str], T | AwsError]:
    """`ask`, for a thread: what AWS does not answer is an answer too."""
    work = correlation_id()

    def asked(server_id: str) -> T | AwsError:
        with correlated(work):
            try:
                return ask(server_id)
            except AwsError as error:
                return error
            finally:
                connection.close()

    return asked
