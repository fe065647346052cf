"""What the tag sync would do by given settings, as far as the inventory tells."""

from collections import Counter
from dataclasses import dataclass, field

from protection.choices import SkipReason
from protection.models import SourceServer, TagSyncSettings
from protection.rules.tag_sync import planned
from protection.services.tag_sync import choice_of, passed_over, takes_account

_SHOWN = 20
_COLUMNS = (
    "server_id",
    "name",
    "replication_state",
    "origin_account_id",
    "origin_region",
    "origin_instance_id",
    "origin_tags",
    "tags",
    "synced_tags",
)


@dataclass(frozen=True, slots=True)
class Example:
    """What would be done to one server."""

    name: str
    server_id: str
    to_set: dict[str, str]
    to_remove: tuple[str, ...]


@dataclass(slots=True)
class Effect:
    """Counts of servers, and the first of those that would be changed.

    `unknown` are servers whose instance EC2 has not told of yet.
    """

    servers: int = 0
    not_chosen: int = 0
    unknown: int = 0
    changed: int = 0
    examples: list[Example] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def passed_over(self) -> list[tuple[str, int]]:
        """Why servers and tags would be passed over, in words."""
        return [(SkipReason(reason).label, count) for reason, count in sorted(self.skipped.items())]


def expected(settings: TagSyncSettings) -> Effect:
    """What a run would do now. Nothing is asked of AWS, so it may be as old as the inventory."""
    effect, choice = Effect(), choice_of(settings)
    servers = SourceServer.objects.filter(gone_at=None).order_by("name", "id")
    for account_id, *values in servers.values_list("account__account_id", *_COLUMNS):
        server = dict(zip(_COLUMNS, values, strict=True))
        effect.servers += 1
        if not takes_account(settings, account_id):
            effect.not_chosen += 1
            continue
        reason = passed_over(server)
        if reason:
            effect.skipped[reason] += 1
        elif server["origin_tags"] is None:
            effect.unknown += 1
        else:
            plan = planned(server["origin_tags"], server["tags"], server["synced_tags"], choice)
            effect.skipped.update(plan.skipped)
            if plan.changes:
                effect.changed += 1
                example = Example(server["name"], server["server_id"], plan.to_set, plan.to_remove)
                effect.examples += [example][: _SHOWN - len(effect.examples)]
    return effect
