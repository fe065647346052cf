"""What is shown of many accounts and servers costs as many queries as of one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from protection.models import TargetAccount
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import SuperuserFactory
from tests.worlds import EAST, NORTH, WEST, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(aws, db) -> TargetAccount:
    world_of([server("web-1")])
    return registered()[NORTH]


def cost(ask: Callable[[], Any]) -> int:
    """The queries of `ask`, once what is read only once has been read."""
    assert ask().status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert ask().status_code == 200
    assert len(queries) > 0
    return len(queries)


def more_of(account: TargetAccount, staging_of: Callable[..., Any]) -> None:
    """Servers in groups of both sorts, Regions, accounts, and a staging account."""
    servers = SourceServerFactory.create_batch(20, account=account, region=EAST)
    ProtectionGroupFactory.create(account=account, servers=servers[:10])
    ProtectionGroupFactory.create(account=account, tags={"Environment": "production"})
    for number in range(4):
        other = TargetAccountFactory.create()
        AccountRegionFactory.create(account=other, region=(EAST, WEST)[number % 2])
        SourceServerFactory.create_batch(3, account=other, region=WEST)
        staging_of(f"44440000000{number}", account, other)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/admin/capacity/", {}),
        ("/api/v1/accounts/capacity/all", {}),
        ("/api/v1/drs/source-servers", {"region": EAST, "accountId": NORTH}),
        ("/api/v1/drs/source-server-inventory", {}),
    ],
)
def test_a_page_costs_the_same_however_much_there_is(account, staging_of, path, parameters):
    browser = Client()
    browser.force_login(SuperuserFactory.create())
    ProtectionGroupFactory.create(account=account, servers=[account.servers.first()])
    staging_of("444400000099", account)
    before = cost(lambda: browser.get(path, parameters))
    more_of(account, staging_of)
    assert cost(lambda: browser.get(path, parameters)) == before
