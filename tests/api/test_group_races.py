"""Two people at once: whoever comes second is refused in words, and nothing is half done."""

import pytest

from protection.models import GroupHold, GroupVersion, ProtectionGroup
from recovery.models import Execution
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import plan_of
from tests.factories.users import SuperuserFactory

GROUPS = "/api/v1/protection-groups"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    return SourceServerFactory.create(tags={f"Tier {n}": "web" for n in range(4)})


@pytest.fixture
def clients(client_of):
    return [client_of(SuperuserFactory.create()) for _ in range(4)]


def _making(clients, server, choice):
    """The same group under four names, made by four people."""
    where = {"account": str(server.account.pk), "region": server.region}
    return [
        lambda c=client, n=number: c.post(GROUPS, {**where, "name": f"Group {n}", **choice(n)})
        for number, client in enumerate(clients)
    ]


@pytest.mark.parametrize(
    ("choice", "code", "known_as"),
    [
        (lambda _: {"tags": {"Tier 0": "web"}}, "protection.tags_taken", "TAG_CONFLICT"),
        (lambda n: {"tags": {f"Tier {n}": "web"}}, "protection.groups_overlap", "SERVER_CONFLICT"),
    ],
    ids=["equal tags", "one server by tags"],
)
def test_of_four_groups_that_cannot_be_together_one_is_made(
    clients, at_once, server, choice, code, known_as
):
    answers = at_once(_making(clients, server, choice))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(said["code"], said["error"]) for said in refused} == {(code, known_as)}
    assert (ProtectionGroup.objects.count(), GroupVersion.objects.count()) == (1, 1)


def test_of_four_groups_with_one_server_by_hand_one_is_made(clients, at_once, server):
    answers = at_once(_making(clients, server, lambda _: {"server_ids": [str(server.pk)]}))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = {answer.json()["error"] for answer in answers if answer.status_code == 409}
    assert refused == {"SERVER_CONFLICT"}
    assert ProtectionGroup.objects.count() == 1


def test_of_four_edits_of_one_version_one_is_saved(clients, at_once, server):
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    edits = [
        lambda c=client, n=number: c.patch(
            f"{GROUPS}/{group.pk}", {"description": f"By {n}", "version": 1}
        )
        for number, client in enumerate(clients)
    ]
    answers = at_once(edits)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    saved = next(answer.json() for answer in answers if answer.status_code == 200)
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["error"] == "VERSION_CONFLICT"
            current = answer.json()["context"]["current"]
            assert current["document"]["description"] == saved["description"]
    assert GroupVersion.objects.count() == 2


def test_four_edits_of_parts_without_a_version_are_all_saved(clients, at_once, server):
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    parts = [{"description": "d"}, {"owner": "o"}, {"name": "n"}, {"allow_overlap": True}]
    path = f"{GROUPS}/{group.pk}"
    answers = at_once(
        [
            lambda c=client, part=part: c.patch(path, part)
            for client, part in zip(clients, parts, strict=True)
        ]
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    group.refresh_from_db()
    assert (group.description, group.owner, group.name) == ("d", "o", "n")
    assert (group.allows_overlap, group.version) == (True, 5)
    assert list(group.servers.all()) == [server]


def test_an_edit_and_a_start_at_once_leave_a_world_that_either_could_have_made(
    clients, at_once, server
):
    """Edited first, no preflight has looked at the new server; started first, no edit is made."""
    other = SourceServerFactory.create(account=server.account)
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    plan = plan_of(group)
    started, edited = at_once(
        [
            lambda: clients[0].post(
                "/api/v1/executions", {"plan_id": str(plan.pk), "kind": "DRILL"}
            ),
            lambda: clients[1].patch(f"{GROUPS}/{group.pk}", {"server_ids": [str(other.pk)]}),
        ]
    )
    kept = set(group.servers.values_list("server_id", flat=True))
    if edited.status_code == 200:
        assert (started.status_code, started.json()["code"]) == (409, "recovery.preflight_needed")
        assert kept == {other.server_id}
        assert not Execution.objects.exists()
        assert not GroupHold.objects.exists()
        return
    assert started.status_code == 202
    assert (edited.status_code, edited.json()["error"]) == (409, "PG_IN_ACTIVE_EXECUTION")
    execution = Execution.objects.get()
    launched = set(execution.servers.values_list("server_id", flat=True))
    assert launched == kept == {server.server_id}
    assert GroupHold.objects.filter(released_at=None, holder_id=execution.pk).count() == 1
