import pytest
from django.contrib.auth.models import User
from django.test import Client

from audit.models import AuditRecord
from tests.factories.users import SuperuserFactory, UserFactory


@pytest.fixture
def superuser(db) -> User:
    return SuperuserFactory.create(username="root")


@pytest.fixture
def person(db) -> User:
    """Somebody who may enter the admin and do nothing there."""
    return UserFactory.create(username="person", is_staff=True)


def recorded() -> list[str]:
    """What was done, by the record: neither read nor refused."""
    done = AuditRecord.objects.filter(outcome="SUCCEEDED").exclude(event="admin.read")
    return list(done.values_list("event", flat=True))


@pytest.fixture
def root(superuser) -> Client:
    """The browser of somebody who may do everything."""
    client = Client()
    client.force_login(superuser)
    return client


@pytest.fixture
def browser(person) -> Client:
    """The browser of `person`."""
    client = Client()
    client.force_login(person)
    return client
