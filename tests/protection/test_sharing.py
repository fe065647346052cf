"""Which groups hold a server, and which servers groups share, against the plainest reading."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from protection.choices import Readiness, RegionStatus
from protection.models import AccountRegion, ProtectionGroup, SourceServer
from protection.selectors import (
    groups_with,
    servers_chosen,
    whole_groups,
    with_other_groups,
    with_server_counts,
)
from protection.services.previews import preview
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)

WORDS = st.sampled_from(["a", "A", ""])
TAGS = st.dictionaries(st.sampled_from(["Tier", "tier", "Env"]), WORDS, max_size=3)
PLACES = st.sampled_from([(0, "us-east-1"), (0, "us-west-2"), (1, "us-east-1")])


@dataclass
class Plain:
    """A group, as plain values: the servers it holds are worked out without the database."""

    place: tuple[int, str]
    tags: Mapping[str, str]
    members: set[int] = field(default_factory=set)

    def holds(self, number: int, place: tuple[int, str], tags: Mapping[str, str]) -> bool:
        if not self.tags:
            return number in self.members
        return place == self.place and self.tags.items() <= tags.items()


@st.composite
def estates(draw: Any) -> tuple[list[tuple[tuple[int, str], dict[str, str]]], list[Plain]]:
    """Servers in three places, and groups of them: by tags no two alike, by hand no two at once."""
    servers = draw(st.lists(st.tuples(PLACES, TAGS), max_size=6))
    wanted = draw(st.lists(st.tuples(PLACES, TAGS), max_size=4))
    made: list[Plain] = []
    for place, tags in wanted:
        if all((group.place, group.tags) != (place, tags) for group in made if group.tags):
            made.append(Plain(place, tags))
    by_hand = [group for group in made if not group.tags]
    for number, (place, _) in enumerate(servers):
        there = [group for group in by_hand if group.place == place]
        if there:
            draw(st.sampled_from(there)).members.add(number)
    return servers, made


class Sharing(TestCase):
    @settings(deadline=None, max_examples=60)  # a database answers as fast as the machine lets it
    @given(estates())
    def test_every_question_about_shared_servers_agrees_with_the_plain_one(self, estate):
        plain_servers, plain_groups = estate
        accounts = TargetAccountFactory.create_batch(2)
        servers = [
            SourceServerFactory.create(
                account=accounts[place[0]], region=place[1], tags=tags, listed=False
            )
            for place, tags in plain_servers
        ]
        groups = [
            ProtectionGroupFactory.create(
                account=accounts[group.place[0]],
                region=group.place[1],
                tags=dict(group.tags),
                servers=[servers[number] for number in sorted(group.members)] or None,
            )
            for group in plain_groups
            if group.tags or group.members
        ]
        plain_groups = [group for group in plain_groups if group.tags or group.members]
        held = {
            (server.pk, group.pk)
            for number, (server, (place, tags)) in enumerate(
                zip(servers, plain_servers, strict=True)
            )
            for group, plain in zip(groups, plain_groups, strict=True)
            if plain.holds(number, place, tags)
        }
        for server in servers:
            found = {group.pk for group in groups_with(server)}
            assert found == {group for pk, group in held if pk == server.pk}
        counted = {group.pk: group for group in with_server_counts(ProtectionGroup.objects.all())}
        for group in groups:
            mine = {pk for pk, holder in held if holder == group.pk}
            assert {server.pk for server in servers_chosen(group)} == mine
            others = {
                row.pk: set(row.others)
                for row in with_other_groups(servers_chosen(group), besides=group.pk)
            }
            assert others == {
                pk: {g.name for g in groups if (pk, g.pk) in held and g != group} for pk in mine
            }
            assert counted[group.pk].server_total == len(mine)
            assert counted[group.pk].shared_total == sum(bool(names) for names in others.values())


@pytest.mark.django_db
def test_a_preview_says_who_comes_who_leaves_and_who_is_elsewhere():
    account = TargetAccountFactory.create()
    stay, leave, come = (
        SourceServerFactory.create(account=account, name=name, tags=tags)
        for name, tags in (
            ("stays", {"Tier": "web", "App": "shop"}),
            ("leaves", {"Tier": "web"}),
            ("comes", {"App": "shop"}),
        )
    )
    group = ProtectionGroupFactory.create(account=account, tags={"Tier": "web"})
    ProtectionGroupFactory.create(name="By hand", account=account, servers=[come])
    choice = SourceServer.objects.filter(tags__contains={"App": "shop"}).order_by("name")
    found = preview(choice, account_id=account.pk, region="us-east-1", group=group)
    assert [(entry.server, entry.new, entry.others) for entry in found.found] == [
        (come, True, ("By hand",)),
        (stay, False, ()),
    ]
    assert found.leaving == (leave,)
    assert [entry.server for entry in found.shared] == [come]


@pytest.mark.django_db
def test_a_preview_counts_health_and_jobs_of_all():
    account = TargetAccountFactory.create()
    SourceServerFactory.create_batch(100, account=account)
    SourceServerFactory.create(account=account, replication_state="DISCONNECTED")
    found = preview(SourceServer.objects.all(), account_id=account.pk, region="us-east-1")
    assert found.readiness == {
        Readiness.READY: 100,
        Readiness.LAGGING: 0,
        Readiness.NOT_READY: 1,
        Readiness.UNKNOWN: 0,
    }
    assert found.jobs == 2
    assert not any(entry.new for entry in found.found)


@pytest.mark.django_db
def test_a_region_that_does_not_answer_makes_no_server_healthy_and_none_disappear():
    server = SourceServerFactory.create()
    AccountRegion.objects.update(status=RegionStatus.THROTTLED)
    choice = SourceServer.objects.all()
    found = preview(choice, account_id=server.account_id, region=server.region)
    assert len(found.found) == 1
    assert found.readiness[Readiness.UNKNOWN] == 1
    AccountRegion.objects.all().delete()
    found = preview(choice, account_id=server.account_id, region=server.region)
    assert (found.where, found.readiness[Readiness.UNKNOWN]) == (None, 1)


def cost(count: int) -> list[int]:
    account = TargetAccountFactory.create()
    SourceServerFactory.create_batch(count, account=account)
    group = ProtectionGroupFactory.create(account=account, tags={"Environment": "production"})
    costs = []
    with CaptureQueriesContext(connection) as queries:
        preview(servers_chosen(group), account_id=account.pk, region=group.region, group=group)
    costs.append(len(queries))
    with CaptureQueriesContext(connection) as queries:
        list(whole_groups(ProtectionGroup.objects.all()))
    return [*costs, len(queries)]


@pytest.mark.django_db
def test_questions_cost_the_same_for_1_and_for_50():
    assert cost(1) == cost(50) == [3, 3]
