"""Staging accounts on operators' pages: added, removed, discovered, and why a server waits."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from drportal.aws import trials
from protection.choices import ExtensionState, RegionStatus
from protection.models import StagingAccount, StagingLink, StagingServer, SyncRun, TargetAccount
from protection.permissions import AccountPermission
from protection.services import validation
from tests.admin.conftest import recorded
from tests.factories.protection import (
    AccountRegionFactory,
    StagingAccountFactory,
    StagingServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import grant
from tests.staging_world import DEPOT, YARD, settled, staged, staging_role
from tests.world_fixtures import aws
from tests.worlds import EXTERNAL_ID, NORTH

__all__ = ["aws"]


@pytest.fixture
def target(db) -> TargetAccount:
    return TargetAccountFactory.create(name="north", account_id=NORTH)


@pytest.fixture
def depot(target) -> StagingAccount:
    return StagingAccountFactory.create(account_id=DEPOT, name="Depot", targets=[target])


def of_target(name: str, *ids: object) -> str:
    return reverse(f"admin:protection_targetaccount_{name}", args=ids)


def of_staging(name: str, *ids: object) -> str:
    return reverse(f"admin:protection_stagingaccount_{name}", args=ids)


def test_one_is_added_on_the_targets_page(root, target):
    form = root.get(of_target("add_staging", target.pk)).context_data["form"]
    secret = form["external_id"].value()
    assert len(secret) >= 24
    new = {"account_id": DEPOT, "name": "Depot", "role_arn": "", "external_id": secret}
    wrong = root.post(of_target("add_staging", target.pk), {**new, "account_id": NORTH})
    assert "This is the target account itself." in wrong.content.decode()
    assert not StagingAccount.objects.exists()
    answer = root.post(of_target("add_staging", target.pk), new)
    assert (answer.status_code, answer["Location"]) == (302, of_target("change", target.pk))
    made = StagingAccount.objects.get()
    assert (made.external_id, made.role_arn) == (secret, staging_role(DEPOT))
    pages = [of_target("change", target.pk), *(of_staging(n, made.pk) for n in ("change", "edit"))]
    for page in [*pages, of_staging("changelist"), of_staging("history", made.pk)]:
        shown = root.get(page).content.decode()
        assert "Depot" in shown
        assert secret not in shown


def test_what_differs_from_what_is_known_is_said(root, depot):
    other = TargetAccountFactory.create()
    new = {"account_id": DEPOT, "name": "", "role_arn": "", "external_id": "another-word"}
    answer = root.post(of_target("add_staging", other.pk), new)
    assert "with another external id" in answer.content.decode()
    root.post(of_target("add_staging", other.pk), {**new, "external_id": ""})
    assert depot.targets.count() == 2


def test_one_is_removed_after_a_question(root, target, depot):
    link = of_target("remove_staging", target.pk, DEPOT)
    assert "stay, in AWS" in root.get(link).content.decode()
    assert StagingLink.objects.exists()
    root.post(link, {})
    assert not StagingAccount.objects.exists()
    assert root.get(link).status_code == 404


def test_the_page_says_of_each_server_how_it_stands_and_why(root, target, depot):
    link = depot.links.get()
    later = timezone.now() + timedelta(minutes=30)
    StagingServerFactory.create(link=link, hostname="good-1", state=ExtensionState.EXTENDED)
    StagingServerFactory.create(
        link=link, hostname="cut-1", state=ExtensionState.EXTENDED, message="No such role."
    )
    StagingServerFactory.create(
        link=link,
        hostname="held-1",
        state=ExtensionState.HELD_BACK,
        message="Its volumes have the default EBS key.",
        next_try_at=later,
    )
    shown = root.get(of_staging("change", depot.pk)).content.decode()
    assert "Its volumes have the default EBS key." in shown
    assert f"{later:%Y-%m-%d %H:%M} UTC" in shown
    assert shown.index("held-1") < shown.index("good-1")
    assert '<span class="dr-badge dr-bad">Extended, but cut off</span>' in shown
    assert shown.count("dr-badge dr-good") == 1
    on_target = root.get(of_target("change", target.pk)).content.decode()
    assert "1 held back" in on_target
    assert "1 extended, but cut off" in on_target
    assert "never ran" in on_target


def test_what_is_old_says_so(root, target, depot):
    AccountRegionFactory.create(account=target, region="us-west-2", status=RegionStatus.THROTTLED)
    shown = root.get(of_staging("change", depot.pk)).content.decode()
    assert "Targets that do not answer" in shown
    assert "us-west-2" in shown


def test_one_is_edited_and_an_empty_external_id_keeps_the_present_one(root, depot):
    secret = depot.external_id
    StagingAccount.objects.update(last_validated_at=timezone.now())
    edit = {"name": "Renamed", "role_arn": depot.role_arn, "external_id": ""}
    root.post(of_staging("edit", depot.pk), edit)
    depot.refresh_from_db()
    assert (depot.name, depot.external_id) == ("Renamed", secret)
    assert depot.last_validated_at is not None
    root.post(of_staging("edit", depot.pk), {**edit, "external_id": "another-word"})
    depot.refresh_from_db()
    assert (depot.external_id, depot.last_validated_at) == ("another-word", None)


def test_the_sync_is_asked_for(root, target, depot, django_capture_on_commit_callbacks):
    StagingServerFactory.create(link=depot.links.get(), next_try_at=timezone.now())
    with django_capture_on_commit_callbacks() as sent:
        root.post(of_target("sync_staging", target.pk), {})
    assert [callback.args[0] for callback in sent] == ["protection.sync_staging"]
    assert StagingServer.objects.get().next_try_at is None
    alive = timezone.now() + timedelta(minutes=1)
    SyncRun.objects.create(kind="STAGING", requested_by="x", leased_until=alive)
    answer = root.post(of_target("sync_staging", target.pk), {})
    assert "is running already" in answer.content.decode()


def test_one_is_validated_for_real(aws, root, transactional_db, monkeypatch):
    monkeypatch.setattr(trials, "quotas", lambda _: None)  # which moto does not tell
    known = settled([staged("app-1")])
    account = StagingAccount.objects.get()
    root.post(of_staging("validate", account.pk), {})
    validation.carry_out(account.validations.get().pk)
    shown = root.get(of_staging("change", account.pk)).content.decode()
    assert "Entering the account" in shown
    assert "Never validated" not in shown
    account.refresh_from_db()
    assert account.last_validated_at is not None
    assert EXTERNAL_ID not in shown
    assert root.get(of_staging("role_template", account.pk)).status_code == 200
    assert known


def test_who_may_only_see_changes_nothing(person, browser, target, depot):
    grant(person, AccountPermission.VIEW, on=target)
    shown = browser.get(of_target("change", target.pk)).content.decode()
    assert "Depot" in shown
    assert "Add a staging account" not in shown
    pages = [
        of_target("add_staging", target.pk),
        of_target("sync_staging", target.pk),
        of_target("remove_staging", target.pk, DEPOT),
        of_staging("edit", depot.pk),
        of_staging("validate", depot.pk),
    ]
    before = recorded()
    for page in pages:
        assert browser.get(page).status_code == 403
        assert browser.post(page, {"account_id": YARD}).status_code == 403
    assert recorded() == before
    assert StagingLink.objects.count() == 1


def test_of_targets_that_one_may_not_see_nothing_is_shown(person, browser, target, depot):
    hidden = TargetAccountFactory.create(name="secret target")
    hidden.staging_accounts.add(depot, through_defaults={"added_by": "x"})
    link = StagingLink.objects.get(target=hidden)
    StagingServerFactory.create(link=link, hostname="secret-server")
    grant(person, AccountPermission.VIEW, AccountPermission.CHANGE, on=target)
    for page in (of_staging("change", depot.pk), of_staging("changelist")):
        shown = browser.get(page).content.decode()
        assert "Depot" in shown
        assert "secret" not in shown
    assert browser.get(of_staging("edit", depot.pk)).status_code == 403
    other = StagingAccountFactory.create()
    assert browser.get(of_staging("change", other.pk)).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_aws_is_asked_on_wish_only_and_says_what_is_missing(aws, root):
    known = settled([staged("yard-1", account=YARD)])
    StagingAccountFactory.create(account_id=YARD, name="Yard")
    page = of_target("discover_staging", known[NORTH].pk)
    before = len(aws.calls.matching(service="drs"))
    assert YARD not in root.get(page).content.decode()
    assert len(aws.calls.matching(service="drs")) == before
    shown = root.post(page).content.decode()
    assert YARD in shown
    assert "servers that can be extended" in shown
    assert f"?account={YARD}" in shown
    form = root.get(f"{of_target('add_staging', known[NORTH].pk)}?account={YARD}")
    assert form.context_data["form"]["account_id"].value() == YARD
