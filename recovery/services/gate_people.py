"""The people whom the gates of a plan name, as they are now, and complaints about such rules."""

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q

from recovery.choices import GateExpiry
from recovery.engine import gates
from recovery.engine.gates import GateRule
from recovery.errors import ApproversGone
from recovery.models import PlanWave

MOST_NEEDED = 20
MOST_NAMES = 50
LONGEST_MINUTES = 30 * 24 * 60


def eligible(rule: GateRule) -> dict[int, str]:
    """Who can decide at a gate now, by id: active people whom it names, or whose role."""
    named = Q(username__in=rule.people) | Q(groups__name__in=rule.roles)
    found = User.objects.filter(named, is_active=True).distinct().order_by("username")
    return dict(found.values_list("pk", "username"))


def must_be_openable(waves: Iterable[PlanWave]) -> None:
    """Raise ApproversGone if a gate of these waves could never open."""
    for wave in waves:
        rule = gates.of_dict(wave.gate_rule)
        there = len(eligible(rule)) if rule else 0
        if rule is not None and there < rule.needed:
            named = f"wave {wave.position} ({wave.name})"
            raise ApproversGone(named, needed=rule.needed, there=there)


def strangers(rule: GateRule) -> list[str]:
    """Whom and what a rule names that is not there now, in words."""
    people = User.objects.filter(username__in=rule.people, is_active=True)
    roles = Group.objects.filter(name__in=rule.roles)
    gone = sorted(set(rule.people) - set(people.values_list("username", flat=True)))
    told = [f"There is no active user {name}." for name in gone]
    gone = sorted(set(rule.roles) - set(roles.values_list("name", flat=True)))
    return told + [f"There is no role {name}." for name in gone]


def complaints(rule: GateRule) -> Iterable[tuple[str, str]]:
    """All that keeps a rule from being saved: code and sentence of each."""
    yield from _bounds(rule)
    if not rule.people and not rule.roles:
        yield "nobody_named", "Name people or roles whose approval opens the gate."
        return
    unknown = strangers(rule)
    for told in unknown:
        yield "unknown_approver", told
    there = len(eligible(rule))
    if not unknown and there < rule.needed:
        yield "too_few_approvers", f"It needs {rule.needed} approvals, but names {there} people."
    for address in rule.escalate_to:
        if not _can_be_told(address):
            yield "unknown_address", f"This is neither a mail address nor a user: {address[:100]}"


def _bounds(rule: GateRule) -> Iterable[tuple[str, str]]:
    if not 1 <= rule.needed <= MOST_NEEDED:
        yield "invalid", f"A gate needs 1 to {MOST_NEEDED} approvals."
    if max(len(rule.people), len(rule.roles), len(rule.escalate_to)) > MOST_NAMES:
        yield "too_many", f"At most {MOST_NAMES} names."
    minutes = (rule.expires_minutes, rule.remind_minutes, rule.escalate_minutes)
    if any(not 0 <= each <= LONGEST_MINUTES for each in minutes):
        yield "invalid", f"Minutes are 0 to {LONGEST_MINUTES}."
    if rule.on_expiry not in GateExpiry.values:
        yield "invalid", "There is no such consequence of an expiry."
    if rule.on_expiry != GateExpiry.WAIT and not rule.expires_minutes:
        yield "invalid", "Say after how many minutes it expires."
    if rule.escalate_minutes and not rule.escalate_to:
        yield "invalid", "Say who is told when it is escalated."


def _can_be_told(address: str) -> bool:
    if User.objects.filter(username=address, is_active=True).exists():
        return True
    try:
        validate_email(address)
    except ValidationError:
        return False
    return len(address) <= 254  # noqa: PLR2004  # the column's length


def told_on_escalation(rule: GateRule) -> Mapping[str, User | None]:
    """The mail addresses that an escalation goes to, with the person where it names one."""
    people = User.objects.filter(username__in=rule.escalate_to, is_active=True).exclude(email="")
    by_name = {person.username: person for person in people}
    found: dict[str, User | None] = {person.email: person for person in by_name.values()}
    for each in rule.escalate_to:
        if each not in by_name and "@" in each:
            found.setdefault(each, None)
    return found
