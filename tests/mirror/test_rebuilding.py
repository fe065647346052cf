"""Whatever happened to a portal and to DynamoDB, the portal that is rebuilt is the one lost."""

from contextlib import suppress
from itertools import count

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from drportal.errors import DomainError
from drportal.mirror import services
from drportal.mirror.ownership import portal_table
from drportal.mirror.projections import all_projections
from protection.models import ProtectionGroup, SourceServer, StagingAccount, TargetAccount
from protection.selectors import launch_levels
from protection.services import accounts, groups, tag_settings
from protection.services import launch_settings as settings_service
from protection.services import staging as staging_accounts
from protection.services.launch_rows import Wanted
from recovery.models import RecoveryPlan
from recovery.services import plans
from tests.mirror.emptying import everything_told, lose_everything
from tests.mirror.listed import lists
from tests.mirror.store import answer_lost, both_sides_equal, drain_all, refused, unreachable
from tests.worlds import EAST, PERSON, wave

pytestmark = pytest.mark.django_db(transaction=True)
_prefixes = count(1)


def account_id(number):
    return f"{600_000_000_000 + number}"


def account(number):
    return TargetAccount.objects.filter(account_id=account_id(number)).first()


def register(number, _):
    found = account(number)
    if found is None:
        accounts.register(account_id=account_id(number), name=f"account {number}", actor=PERSON)
    else:
        accounts.edit(found, name=f"renamed {timezone.now().timestamp()}", actor=PERSON)


def unregister(number, _):
    found = account(number)
    if found is not None:
        accounts.delete(found, actor=PERSON)


def listing(number, size):
    """The account's Region lists `size` servers, the last of them changed since."""
    found = account(number)
    if found is None:
        return
    servers = {
        f"s-{number:08x}{n:09x}": {
            "arn": f"arn:aws:drs:{EAST}:{found.account_id}:source-server/s-{n}",
            "name": f"server {n}",
            "tags": {"Tier": str(n % 2), "Seen": str(size if n == size - 1 else 0)},
        }
        for n in range(size)
    }
    lists(found, EAST, servers)


def group(number, size):
    """A group of the account: of one tag pair, or of its first servers."""
    found = account(number)
    servers = SourceServer.objects.filter(account=found, gone_at=None).order_by("server_id")[:size]
    chosen = (
        {"tags": {"Tier": str(size % 2)}}
        if size % 2
        else {"server_ids": [server.pk for server in servers]}
    )
    there = ProtectionGroup.objects.filter(name=f"group {number}").first()
    if there is None and found is not None:
        groups.create(name=f"group {number}", account=found, region=EAST, actor=PERSON, **chosen)
    elif there is not None:
        groups.edit(there, name=there.name, actor=PERSON, **chosen)


def ungroup(number, _):
    there = ProtectionGroup.objects.filter(name=f"group {number}").first()
    if there is not None:
        groups.delete(there, actor=PERSON)


def plan(number, size):
    """A plan over all groups, a wave for each."""
    waves = [wave(f"wave {g.pk}", g) for g in ProtectionGroup.objects.order_by("name")]
    there = RecoveryPlan.objects.filter(name=f"plan {number}").first()
    if there is None:
        plans.create(name=f"plan {number}", waves=waves, description=f"{size}", actor=PERSON)
    else:
        plans.edit(there, name=there.name, waves=waves, description=f"{size}", actor=PERSON)


def unplan(number, _):
    there = RecoveryPlan.objects.filter(name=f"plan {number}").first()
    if there is not None:
        plans.delete(there, actor=PERSON)


def staging(number, size):
    """A staging account for the account, or away with it."""
    found, name = account(number), f"{700_000_000_000 + number}"
    there = StagingAccount.objects.filter(account_id=name).first()
    if size == 0 and there is not None:
        for target in there.targets.all():
            staging_accounts.remove(target, there, actor=PERSON)
    elif size and found is not None and there is None:
        staging_accounts.add(found, account_id=name, name=f"staging {size}", actor=PERSON)
    elif size and there is not None:
        staging_accounts.edit(there, name=f"staging {size}", actor=PERSON)


def launch_settings(number, size):
    """Settings of the group and their next version, or none."""
    there = ProtectionGroup.objects.filter(name=f"group {number}").first()
    if there is None:
        return
    levels = launch_levels(there)
    version = levels.group.version if levels.group else 0
    values = {"tags": {"Size": str(size)}} if size else {}
    settings_service.set_unasked(there, [Wanted(values, version)], actor=PERSON)


def tag_sync(_, size):
    """Other settings of the tag sync."""
    tag_settings.change({"exclude_keys": [f"key{size}*"]}, actor=PERSON)


OFTEN = (register, listing, group, plan, staging, launch_settings)
SELDOM = (unregister, ungroup, unplan, tag_sync)
CHANGES = st.tuples(
    st.sampled_from([*OFTEN, *OFTEN, *SELDOM]), st.integers(0, 2), st.integers(0, 4)
)


def failing(code, status=400):
    def fail(*_):
        raise refused(code, status)

    return fail


FAILURES = st.sampled_from(
    [
        (None, None),
        (unreachable, None),
        (failing("ThrottlingException"), None),
        (failing("InternalServerError", 500), None),
        (failing("AccessDeniedException"), None),
        (None, answer_lost),
    ]
)


def do(store, step):
    if len(step) == 2:
        store.before, store.after = step
        services.drain()
        store.before = store.after = None
        return
    what, number, size = step
    with suppress(DomainError):  # refused, and nothing was changed
        what(number, size)


def lost_and_rebuilt():
    told = everything_told()
    lose_everything()
    restored = services.restore(take_over=True)
    assert restored.left_out == []
    assert everything_told() == told
    drain_all()
    both_sides_equal()


def test_each_change_of_the_histories_changes_something(store):
    """So that the property below says something."""
    history = [(register, 0, 0), (register, 1, 0), (listing, 0, 4), (listing, 1, 4)]
    history += [(group, 0, 2), (group, 1, 3), (plan, 0, 0), (plan, 0, 1), (staging, 0, 1)]
    history += [(launch_settings, 0, 1), (launch_settings, 0, 2), (tag_sync, 0, 1)]
    for step in history:
        before = everything_told()
        do(store, step)
        assert everything_told() != before, step
    drain_all()
    lost_and_rebuilt()
    assert {kind for kind, items in everything_told().items() if items} == {
        *("TargetAccounts", "StagingAccounts", "RegionStatus", "SourceServerInventory"),
        *("ProtectionGroups", "ProtectionGroupVersions"),
        *("LaunchConfigurations", "LaunchConfigurationVersions", "export"),
        *("TagSyncSettings", "RecoveryPlans", "RecoveryPlanVersions", "AuditLogs"),
    }
    for step in [(unplan, 0, 0), (ungroup, 0, 0), (listing, 0, 0), (unregister, 0, 0)]:
        before = everything_told()
        do(store, step)
        assert everything_told() != before, step
    drain_all()
    lost_and_rebuilt()


@examples(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(st.one_of(CHANGES, CHANGES, FAILURES), min_size=5, max_size=40))
def test_any_history_is_mirrored_and_comes_back(store, settings, history):
    settings.MIRROR_TABLE_PREFIX = f"example-{next(_prefixes)}-"
    for table in (portal_table(), *(projection.table() for projection in all_projections())):
        store.tables.create(table)
    lose_everything()
    for step in history:
        do(store, step)
    drain_all()
    both_sides_equal()
    lost_and_rebuilt()
