from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from drportal.api.pagination import MOST
from protection.models import TargetAccount
from tests.factories.protection import SourceServerFactory, TargetAccountFactory
from tests.factories.users import SuperuserFactory

ONE_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def _walk(client, path, *, between=lambda: None):
    """Every page from the first on, as ids; `between` happens after each."""
    seen, pages, url = [], 0, path
    while url:
        said = client.get(url).json()
        seen += [row["id"] for row in said["results"]]
        url = said["next"]
        pages += 1
        between()
    return seen, pages


@pytest.mark.django_db
def test_pages_follow_each_other_to_the_end(root):
    TargetAccountFactory.create_batch(7)
    seen, pages = _walk(root, "/api/v1/accounts/targets?page_size=3")
    newest = TargetAccount.objects.order_by("-created_at", "id")
    assert seen == [str(account.pk) for account in newest]
    assert pages == 3


@pytest.mark.django_db
def test_a_full_last_page_has_no_next(root):
    TargetAccountFactory.create_batch(3)
    assert root.get("/api/v1/accounts/targets?page_size=3").json()["next"] is None


@pytest.mark.django_db
def test_rows_of_one_moment_are_neither_lost_nor_doubled(root):
    TargetAccountFactory.create_batch(20, created_at=ONE_MOMENT)
    seen, _ = _walk(root, "/api/v1/accounts/targets?page_size=3")
    assert len(seen) == len(set(seen)) == 20


@pytest.mark.django_db
def test_rows_that_come_and_go_do_not_shift_a_page(root):
    there = [str(row.pk) for row in TargetAccountFactory.create_batch(12)]

    def stir():
        TargetAccountFactory.create()
        TargetAccountFactory.create(created_at=ONE_MOMENT).delete()

    seen, _ = _walk(root, "/api/v1/accounts/targets?page_size=5", between=stir)
    assert len(seen) == len(set(seen))
    assert [pk for pk in seen if pk in there] == list(reversed(there))


@pytest.mark.django_db
def test_the_row_that_a_cursor_names_may_be_gone(root):
    TargetAccountFactory.create_batch(6)
    first = root.get("/api/v1/accounts/targets?page_size=3").json()
    TargetAccount.objects.filter(pk=first["results"][-1]["id"]).delete()
    second = root.get(first["next"]).json()
    assert len(second["results"]) == 3


@pytest.mark.django_db
def test_a_next_page_keeps_the_filters(root):
    TargetAccountFactory.create_batch(3, active=False)
    TargetAccountFactory.create_batch(3)
    seen, pages = _walk(root, "/api/v1/accounts/targets?page_size=2&active=false")
    assert (len(seen), pages) == (3, 2)


@pytest.mark.django_db
def test_a_cursor_of_another_order_is_refused(root):
    TargetAccountFactory.create_batch(2)
    cursor = root.get("/api/v1/accounts/targets?page_size=1").json()["next"].split("cursor=")[1]
    cursor = cursor.split("&")[0]
    response = root.get(f"/api/v1/servers?cursor={cursor}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "invalid_cursor"


@pytest.mark.django_db
def test_a_page_holds_200_at_most(root):
    account = TargetAccountFactory.create()
    SourceServerFactory.create_batch(MOST + 1, account=account)
    said = root.get(f"/api/v1/servers?page_size={MOST}").json()
    assert len(said["results"]) == MOST
    assert said["next"]


class Names(TestCase):
    """Whatever the names are, walking finds each row once, in the database's order."""

    @settings(max_examples=20, deadline=None)
    @given(
        names=st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5),
            min_size=1,
            max_size=8,
        ),
        size=st.integers(1, 4),
    )
    def test_walking_by_name(self, names, size):
        account = TargetAccountFactory.create()
        for name in names:
            SourceServerFactory.create(account=account, name=name)
        self.client.force_login(SuperuserFactory.create())
        seen, _ = _walk(self.client, f"/api/v1/servers?page_size={size}")
        ordered = account.servers.order_by("name", "id").values_list("pk", flat=True)
        assert seen == [str(pk) for pk in ordered]
