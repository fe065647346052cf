"""Validating an account, and its role's template, from the admin."""

import json
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRecord, Outcome
from protection.choices import ValidationState
from protection.models import AccountValidation
from tests.admin.conftest import recorded
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import grant

VIEW, CHANGE = "protection.view_targetaccount", "protection.change_targetaccount"


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:protection_targetaccount_{name}", args=ids)


def check(state: str, region: str = "", **more: str) -> dict[str, str]:
    found = {"name": "permissions" if region else "role", "state": state, "region": region}
    return found | {"detail": f"Detail of {region}.", "remedy": f"Remedy of {region}."} | more


@pytest.fixture
def account(db):
    return TargetAccountFactory.create(name="north")


@pytest.fixture
def hub(db):
    return TargetAccountFactory.create(hub=True, account_id="210987654321")


def validated_column(client) -> str:
    """What the list says of the only account."""
    listed = client.get(link("changelist")).content.decode()
    found = re.search(r'<td class="[^"]*field-validated[^"]*"[^>]*>(.*?)</td>', listed, re.DOTALL)
    assert found
    return str(found[1])


def page(client, account) -> str:
    content: str = client.get(link("change", account.pk)).content.decode()
    return content


def test_a_validation_is_asked_for_through_the_service(root, account):
    assert "Validate north" in root.get(link("validate", account.pk)).content.decode()
    assert not AccountValidation.objects.exists()
    answer = root.post(link("validate", account.pk))
    assert answer["Location"] == link("change", account.pk)
    validation = AccountValidation.objects.get()
    assert (validation.target, validation.requested_by) == (account, "root")
    assert recorded() == ["protection.account.validation_requested"]
    again = root.post(link("validate", account.pk)).content.decode()
    assert "is being validated already" in again
    assert AccountValidation.objects.count() == 1


def test_a_running_validation_is_fetched_anew_until_it_ends(root, account):
    validation = AccountValidation.objects.create(target=account, requested_by="pat")
    live = link("live", account.pk)
    assert f'data-live="{live}"' in page(root, account)
    assert 'data-active="true"' in root.get(live).content.decode()
    AccountValidation.objects.filter(pk=validation.pk).delete()
    AccountValidation.objects.create(
        target=account, requested_by="pat", state=ValidationState.PASSED, checks=[check("PASSED")]
    )
    assert 'data-active="false"' in root.get(live).content.decode()
    assert "data-live" not in page(root, account)


@pytest.mark.parametrize(
    ("state", "tone", "said"),
    [
        ("PASSED", "dr-good", "Passed"),
        ("FAILED", "dr-bad", "Failed"),
        ("UNKNOWN", "dr-unsure", "Unknown"),
        ("ABANDONED", "dr-bad", "Abandoned"),
    ],
)
def test_how_a_validation_ended_is_said_and_only_a_pass_is_green(root, account, state, tone, said):
    AccountValidation.objects.create(target=account, requested_by="pat", state=state)
    content = root.get(link("live", account.pk)).content.decode()
    assert f'<span class="dr-badge {tone}">{said}</span>' in content
    assert ("dr-good" in content) is (state == "PASSED")


def test_what_did_not_pass_comes_first_with_its_remedy(root, account):
    checks = [check("PASSED", "us-east-1"), check("UNKNOWN", "us-west-2"), check("FAILED", "eu-1")]
    AccountValidation.objects.create(
        target=account, requested_by="pat", state=ValidationState.FAILED, checks=checks
    )
    content = page(root, account)
    places = [content.index(f"Remedy of {name}.") for name in ("eu-1", "us-west-2", "us-east-1")]
    assert places == sorted(places)


def test_an_account_that_was_never_validated_is_no_good_one(root, account):
    content = root.get(link("live", account.pk)).content.decode()
    assert "Never validated" in content
    assert "dr-good" not in content
    assert '<span class="dr-old">never</span>' in validated_column(root)
    account.last_validated_at = timezone.now()
    account.save()
    assert '<span class="dr-old">never</span>' not in validated_column(root)
    AccountValidation.objects.create(target=account, requested_by="pat", state="FAILED")
    assert '<span class="dr-badge dr-bad">Failed</span>' in validated_column(root)


def test_the_template_is_a_download_that_is_recorded_and_not_kept(root, account, hub):
    answer = root.get(link("role_template", account.pk))
    name = f"drportal-role-{account.account_id}.json"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "no-store" in answer["Cache-Control"]
    assert account.external_id in answer.content.decode()
    assert json.loads(answer.content)["Resources"]
    assert recorded() == ["protection.account.role_template_taken"]
    assert account.external_id not in str(list(AuditRecord.objects.values_list("facts")))
    assert account.external_id not in page(root, account)


def test_editing_keeps_a_role_of_ones_own(root, db):
    """D42: the form shows the role that is registered, and saves that."""
    arn = "arn:aws:iam::111122223333:role/dr/Portal"
    account = TargetAccountFactory.create(account_id="111122223333", role_arn=arn)
    form = root.get(link("edit", account.pk)).content.decode()
    assert f'value="{arn}"' in form
    shown = {"name": "renamed", "active": "on", "role_arn": arn, "external_id": ""}
    root.post(link("edit", account.pk), shown)
    account.refresh_from_db()
    assert (account.name, account.role_arn) == ("renamed", arn)
    answer = root.post(link("edit", account.pk), {**shown, "role_arn": ""}).content.decode()
    assert "not the ARN of an IAM role" in answer
    account.refresh_from_db()
    assert account.role_arn == arn


def test_the_hub_has_no_template_and_says_so(root, hub):
    answer = root.get(link("role_template", hub.pk), follow=True)
    assert "it is entered without a role" in answer.content.decode()
    assert AuditRecord.objects.filter(outcome=Outcome.REFUSED).count() == 1
    assert "Download the role" not in page(root, hub)


def test_who_may_only_see_is_offered_neither_and_gets_neither(person, browser, account, hub):
    grant(person, VIEW, on=account)
    content = page(browser, account)
    assert "Never validated" in content
    assert link("validate", account.pk) not in content
    assert link("role_template", account.pk) not in content
    for answer in (
        browser.get(link("role_template", account.pk)),
        browser.get(link("validate", account.pk)),
        browser.post(link("validate", account.pk)),
    ):
        assert answer.status_code == 403
        assert account.external_id not in answer.content.decode()
    assert not AccountValidation.objects.exists()
    assert recorded() == []


def test_who_may_change_it_is_offered_both(person, browser, account, hub):
    grant(person, VIEW, CHANGE, on=account)
    content = page(browser, account)
    assert link("validate", account.pk) in content
    assert browser.get(link("role_template", account.pk)).status_code == 200
