"""Whether DRS and EC2 hold what the launch settings say now, whoever changed either."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.jobs import hint
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from protection.choices import DriftState
from protection.errors import GroupIsEmpty
from protection.models import LaunchSettings, LaunchStanding, ProtectionGroup, SourceServer
from protection.rules import launch as rules
from protection.selectors import launch_levels, servers_chosen
from protection.services.launch_writing import held

_THREADS = 4
_NOTHING = "Nothing is set for this server."


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found at one server: its differences, or why nobody knows."""

    server: SourceServer
    differences: tuple[rules.Difference, ...] = ()
    unreadable: str = ""
    nothing_set: bool = False

    @property
    def drift(self) -> DriftState:
        if self.unreadable:
            return DriftState.UNKNOWN
        return DriftState.DRIFTED if self.differences else DriftState.IN_STEP


def ask(group: ProtectionGroup, *, actor: Actor) -> None:
    """Ask a worker to compare a group's servers with their settings. Raises GroupIsEmpty."""
    if not servers_chosen(group).exists():
        raise GroupIsEmpty(f"{group} holds no server.")
    with transaction.atomic():
        record("protection.launch_drift.requested", actor=actor, subject=group)
        hint("protection.check_launch_drift", group_id=str(group.pk))


def ask_for_all() -> int:
    """Ask for every group of which anything is set, and return how many those are."""
    groups = ProtectionGroup.objects.all()
    if not LaunchSettings.objects.filter(group=None).exclude(values={}).exists():
        groups = groups.filter(Q(launch_settings__isnull=False) | Q(standings__isnull=False))
    keys = list(groups.distinct().order_by("pk").values_list("pk", flat=True))
    for key in keys:
        hint("protection.check_launch_drift", group_id=str(key))
    return len(keys)


@reaches_outside
def check(group: ProtectionGroup, *, actor: Actor) -> None:
    """Compare every server of a group with what is set for it now. Nothing is written to AWS."""
    servers = list(servers_chosen(group))
    before = dict(
        LaunchStanding.objects.filter(group=group).values_list("server_id", "applied_values")
    )
    levels = launch_levels(group)
    wanted = [
        (server, rules.with_withdrawals(rules.intended(layers), before.get(server.pk)))
        for server in servers
        for layers in [levels.layers(server.pk)]
    ]
    found = []
    for look, values in _looks(group.account.scope(group.region), wanted):
        found.append(look)
        _note(group, look, values, before.get(look.server.pk))
    _record(group, found, actor=actor)


def _looks(
    scope: Scope, wanted: Sequence[tuple[SourceServer, rules.Values]]
) -> Iterator[tuple[_Look, rules.Values]]:
    work = correlation_id()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="launch-drift") as pool:
        asked = [pool.submit(_look, scope, server, values, work) for server, values in wanted]
        for answered, (_, values) in zip(asked, wanted, strict=True):
            yield answered.result(), values


def _look(scope: Scope, server: SourceServer, values: Mapping[str, Any], work: str) -> _Look:
    if not values:
        return _Look(server, nothing_set=True)
    with correlated(work):
        try:
            found = rules.differences(values, held(scope, server.server_id))
        except AwsError as error:
            return _Look(server, unreadable=error.detail)
        finally:
            connection.close()
    return _Look(server, tuple(found))


def _note(
    group: ProtectionGroup, look: _Look, wanted: rules.Values, applied: Mapping[str, Any] | None
) -> None:
    """Note what was found, unless the settings were changed while AWS was asked."""
    with transaction.atomic():
        locked = ProtectionGroup.objects.select_for_update(no_key=True).filter(pk=group.pk).first()
        if locked is None:
            return
        intended = rules.intended(launch_levels(locked).layers(look.server.pk))
        if rules.with_withdrawals(intended, applied) != wanted:
            return
        LaunchStanding.objects.update_or_create(
            group=locked,
            server=look.server,
            defaults={
                "drift": look.drift,
                "differences": [difference.as_dict() for difference in look.differences],
                "message": look.unreadable or (_NOTHING if look.nothing_set else ""),
                "checked_at": timezone.now(),
            },
        )


def _record(group: ProtectionGroup, found: Sequence[_Look], *, actor: Actor) -> None:
    drifted = sorted(each.server.server_id for each in found if each.differences)
    unknown = sorted(each.server.server_id for each in found if each.unreadable)
    with transaction.atomic():
        record(
            "protection.launch_drift.checked",
            actor=actor,
            subject=group,
            servers=len(found),
            drifted=drifted,
            unknown=unknown,
        )
