"""What an instance can be launched with, of the account that is meant and of no other."""

import pytest
from moto.ec2.models.instance_types import InstanceTypeBackend

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import TargetAccount
from tests.factories.users import UserFactory, grant
from tests.worlds import EAST, HUB, NORTH, SOUTH, WEST, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = {
    "subnets": ("subnets", "DescribeSubnets", "ec2"),
    "security-groups": ("security_groups", "DescribeSecurityGroups", "ec2"),
    "instance-profiles": ("instance_profiles", "ListInstanceProfiles", "iam"),
    "instance-types": ("instance_types", "DescribeInstanceTypes", "ec2"),
}
every = pytest.mark.parametrize("what", LISTS)


@pytest.fixture(autouse=True)
def few_types(monkeypatch) -> None:
    """moto takes seconds over the 900 types that it knows."""
    kept = {"t3.micro", "m5.metal", "m7i-flex.large"}
    known = InstanceTypeBackend.instance_types
    few = [kind for kind in known if kind.name in kept]
    monkeypatch.setattr(InstanceTypeBackend, "instance_types", few)


@pytest.fixture
def made(aws, db) -> dict[str, TargetAccount]:
    world_of([server("web-1"), server("db-1", account=SOUTH)])
    return registered()


def ask(client, what: str, **parameters):
    given = {"region": EAST, "accountId": NORTH, **parameters}
    return client.get(f"/api/v1/ec2/{what}", {k: v for k, v in given.items() if v is not None})


def items(answer, what: str) -> list[dict]:
    assert answer.status_code == 200, answer.content
    found: list[dict] = answer.json()[LISTS[what][0]]
    return found


@every
def test_the_account_that_is_meant_is_asked(root, made, what):
    """D17 and D18 of the reference: it asked the hub."""
    ask(root, what, accountId=SOUTH, region=WEST)
    [call] = world.calls.matching(operation=LISTS[what][1])
    assert call.account == SOUTH
    answer = ask(root, what, accountId=SOUTH, region=WEST).json()
    assert (answer["account_id"], answer["region"]) == (SOUTH, WEST)


@every
def test_an_answer_is_kept_with_its_age_until_one_insists(root, made, what):
    """D47 of the reference: what was kept did not say how old it was."""
    first = ask(root, what).json()["as_of"]
    assert ask(root, what).json()["as_of"] == first
    assert world.calls.count(operation=LISTS[what][1]) == 1
    assert ask(root, what, fresh="true").json()["as_of"] > first


@every
def test_accounts_and_regions_do_not_share_what_is_kept(root, made, what):
    for account in (NORTH, SOUTH):
        for region in (EAST, WEST):
            ask(root, what, accountId=account, region=region)
    asked = {(call.account) for call in world.calls.matching(operation=LISTS[what][1])}
    assert asked == {NORTH, SOUTH}
    assert world.calls.count(operation=LISTS[what][1]) == 4


@every
@pytest.mark.parametrize(
    ("kind", "http", "known_as"),
    [
        (Kind.ACCESS_DENIED, 403, "REGION_ACCESS_DENIED"),
        (Kind.THROTTLE, 503, "DRS_ERROR"),
        (Kind.UNREACHABLE, 503, "DRS_ERROR"),
    ],
)
def test_a_failure_is_refused_and_never_an_empty_list(root, made, what, kind, http, known_as):
    world.faults.add(Fault(kind, operation=LISTS[what][1]))
    answer = ask(root, what)
    assert (answer.status_code, answer.json()["error"]) == (http, known_as)
    world.faults.clear()
    assert ask(root, what).status_code == 200


@every
def test_the_account_may_be_left_out_only_if_there_is_one(client_of, root, made, what):
    refused = ask(root, what, accountId=None)
    assert (refused.status_code, refused.json()["code"]) == (400, "queries.account_not_named")
    assert world.calls.count(operation=LISTS[what][1]) == 0
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=made[SOUTH])
    assert ask(client_of(person), what, accountId=None).json()["account_id"] == SOUTH


@every
def test_who_may_not_see_the_account_learns_nothing(client_of, made, what):
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=made[SOUTH])
    answer = ask(client_of(person), what)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert world.calls.count(operation=LISTS[what][1]) == 0
    assert AuditRecord.objects.latest("id").outcome == "REFUSED"


@every
@pytest.mark.parametrize("region", [None, "", "moon-1", "us-east-1a"])
def test_a_region_must_be_named_and_have_drs(root, made, what, region):
    answer = ask(root, what, region=region)
    assert answer.status_code == 400
    assert world.calls.count(operation=LISTS[what][1]) == 0


def test_subnets_are_of_every_page_and_labelled(root, made):
    found = items(ask(root, "subnets"), "subnets")
    assert all(each["value"].startswith("subnet-") for each in found)
    one = found[0]
    assert one["value"] in one["label"]
    assert one["cidr"] in one["label"]
    assert one["az"] in one["label"]


def test_security_groups_of_one_vpc(root, made):
    everything = items(ask(root, "security-groups"), "security-groups")
    vpcs = {each["vpc_id"] for each in everything}
    assert len(vpcs) > 1
    [chosen, *_] = sorted(vpcs)
    found = items(ask(root, "security-groups", vpcId=chosen), "security-groups")
    assert found == [each for each in everything if each["vpc_id"] == chosen]
    assert all(len(each["description"]) <= 100 for each in everything)


def test_types_hold_bare_metal_and_names_with_hyphens(root, made):
    """D43 of the reference: it left out metal and refused hyphens."""
    found = {each["value"]: each for each in items(ask(root, "instance-types"), "instance-types")}
    assert set(found) == {"t3.micro", "m5.metal", "m7i-flex.large"}
    assert [name for name, each in found.items() if each["bare_metal"]] == ["m5.metal"]
    assert all(each["memory_gb"] > 0 and each["vcpus"] > 0 for each in found.values())


def test_the_hub_can_be_meant_too(root, made):
    assert ask(root, "subnets", accountId=HUB).json()["account_id"] == HUB


@every
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_but_get(root, made, what, method):
    answer = getattr(root, method)(f"/api/v1/ec2/{what}?region={EAST}&accountId={NORTH}")
    assert answer.status_code == 405
