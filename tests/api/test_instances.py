import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.protection import RecoveryInstanceFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db

INSTANCES = "/api/v1/recovery-instances"


def test_an_instance_says_what_is_known_and_how_old_it_is(root):
    made = RecoveryInstanceFactory.create(name="db-1", public_ip="", job_id="drsjob-1")
    said = root.get(f"{INSTANCES}/{made.pk}").json()
    assert (said["instance_id"], said["account"]["id"]) == (
        made.instance_id,
        str(made.account.pk),
    )
    assert (said["job_id"], said["public_ip"], said["is_drill"]) == ("drsjob-1", None, True)
    assert said["listed_at"] is not None
    assert root.get(INSTANCES).json()["results"] == [said]


def test_a_region_that_was_never_listed_says_so(root):
    made = RecoveryInstanceFactory.create(listed=False)
    assert root.get(f"{INSTANCES}/{made.pk}").json()["listed_at"] is None


@pytest.mark.parametrize(
    "query",
    [
        "job_id=drsjob-1",
        "is_drill=false",
        "ec2_state=STOPPED",
        "server_id=s-1",
        "instance_id=i-1",
        "region=eu-west-1",
        "account_id=100000000001",
    ],
)
def test_filters(root, query):
    RecoveryInstanceFactory.create()
    found = RecoveryInstanceFactory.create(
        job_id="drsjob-1",
        is_drill=False,
        ec2_state="STOPPED",
        server_id="s-1",
        instance_id="i-1",
        region="eu-west-1",
        account__account_id="100000000001",
    )
    results = root.get(f"{INSTANCES}?{query}").json()["results"]
    assert [each["id"] for each in results] == [str(found.pk)]


def test_one_sees_those_of_the_accounts_that_one_sees(client_of):
    mine, other = RecoveryInstanceFactory.create_batch(2)
    person = UserFactory.create(username="viewer")
    grant(person, "protection.view_targetaccount", on=mine.account)
    client = client_of(person)
    results = client.get(INSTANCES).json()["results"]
    assert [each["id"] for each in results] == [str(mine.pk)]
    assert client.get(f"{INSTANCES}/{other.pk}").status_code == 404


def test_a_list_costs_the_same_however_long(root):
    RecoveryInstanceFactory.create()
    root.get(INSTANCES)
    with CaptureQueriesContext(connection) as one:
        root.get(INSTANCES)
    RecoveryInstanceFactory.create_batch(20)
    with CaptureQueriesContext(connection) as many:
        root.get(INSTANCES)
    assert len(many) == len(one)
