"""The standing of a group's launch settings: the same queries for few servers and for many."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from protection.choices import Combination, LaunchStatus, SettingsLevel
from protection.models import LaunchSettings
from protection.services import launch_status
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)

pytestmark = pytest.mark.django_db


def _queries(count: int) -> int:
    account = TargetAccountFactory.create()
    servers = SourceServerFactory.create_batch(count, account=account)
    group = ProtectionGroupFactory.create(account=account, servers=servers)
    for server in servers:
        LaunchSettings.objects.create(
            level=SettingsLevel.SERVER,
            group=group,
            server=server,
            combination=Combination.ADD,
            values={"copyTags": True},
        )
    with CaptureQueriesContext(connection) as asked:
        found = launch_status.of_group(group)
    assert found.status == LaunchStatus.PENDING
    assert [each.intended for each in found.servers] == [{"copyTags": True}] * count
    return len(asked)


def test_many_servers_cost_no_more_queries_than_one() -> None:
    assert _queries(50) == _queries(1)
