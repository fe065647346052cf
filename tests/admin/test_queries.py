"""What a page of the admin costs does not depend on how much it lists."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from protection.models import TargetAccount
from recovery.states import ExecutionState, ServerState, WaveState
from tests.factories.admin import notices_of, schedule_of
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    SourceServerFactory,
    SyncRunFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import (
    ExecutionEventFactory,
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import UserFactory, grant

MANY = 50


def account() -> None:
    AccountRegionFactory.create()


def server() -> None:
    SourceServerFactory.create()


def group() -> None:
    ProtectionGroupFactory.create()
    ProtectionGroupFactory.create(tags={"Environment": "production"})


def plan() -> None:
    ExecutionFactory.create(plan=plan_of(), state=ExecutionState.COMPLETED)


def execution() -> None:
    wave = WaveFactory.create(execution__state=ExecutionState.RUNNING, state=WaveState.WAITING)
    WaveServerFactory.create(wave=wave)


def sync_run() -> None:
    SyncRunFactory.create()


def person() -> None:
    UserFactory.create().groups.add(Group.objects.get_or_create(name="Operators")[0])


def role() -> None:
    Group.objects.create(name=f"role {Group.objects.count()}")


def schedule() -> None:
    count = Group.objects.count() + UserFactory.create().pk
    schedule_of("recovery.advance_all", name=f"schedule {count}")


def notice() -> None:
    made = ExecutionFactory.create(plan=plan_of())
    notices_of(made.plan, made)


LISTS = {
    "recovery_delivery": notice,
    "recovery_noticechannel": notice,
    "protection_targetaccount": account,
    "protection_sourceserver": server,
    "protection_protectiongroup": group,
    "protection_syncrun": sync_run,
    "recovery_recoveryplan": plan,
    "recovery_execution": execution,
    "auth_user": person,
    "auth_group": role,
    "django_celery_beat_periodictask": schedule,
}


def cost(browser: Client, link: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = browser.get(link)
        answer.render() if hasattr(answer, "render") else None
    assert answer.status_code == 200
    return len(queries)


def same_with_more(browser: Client, link: str, make: Callable[[], object]) -> int:
    make()
    browser.get(link)  # what is remembered from the first request on is no matter here
    few = cost(browser, link)
    for _ in range(MANY - 1):
        make()
    many = cost(browser, link)
    assert many == few
    return many


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_50_costs_what_a_list_of_1_costs(root, name):
    total = same_with_more(root, reverse(f"admin:{name}_changelist"), LISTS[name])
    assert total < 30


def test_the_first_page_costs_the_same_with_more(root):
    def more() -> None:
        execution()
        server()
        sync_run()

    assert same_with_more(root, reverse("admin:index"), more) < 40


def test_a_list_costs_the_same_for_somebody_with_object_permissions(person):
    def mine() -> None:
        account()
        grant(
            person, "protection.view_targetaccount", on=TargetAccount.objects.latest("created_at")
        )

    mine()
    browser = Client()
    browser.force_login(person)
    same_with_more(browser, reverse("admin:protection_targetaccount_changelist"), mine)


def test_the_page_of_an_execution_costs_the_same_with_more_of_everything(root):
    running = ExecutionFactory.create(state=ExecutionState.RUNNING)
    account_ = TargetAccountFactory.create()
    position = 0

    def more() -> None:
        nonlocal position
        position += 1
        wave = WaveFactory.create(execution=running, position=position, state=WaveState.LAUNCHING)
        job = LaunchJobFactory.create(wave=wave, account=account_)
        for state in (ServerState.LAUNCHED, ServerState.FAILED):
            WaveServerFactory.create(wave=wave, launch_job=job, state=state)
        ExecutionEventFactory.create(execution=running, wave=wave)

    for name in ("live", "change"):
        same_with_more(root, reverse(f"admin:recovery_execution_{name}", args=[running.pk]), more)


def test_the_page_of_a_group_costs_the_same_with_more_servers(root):
    where = TargetAccountFactory.create()
    made = ProtectionGroupFactory.create(account=where, tags={"Environment": "production"})
    link = reverse("admin:protection_protectiongroup_change", args=[made.pk])
    same_with_more(root, link, lambda: SourceServerFactory.create(account=where))
