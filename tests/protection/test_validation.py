"""Validating accounts in simulated AWS: what is wrong there is found, and said with a remedy."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditRecord, Outcome
from drportal.aws.permissions import needed
from drportal.aws.roles import forget_sessions
from drportal.mirror.models import OutboxEntry
from drportal.simulator.accounts import Role
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from protection import tasks
from protection.errors import ValidationAlreadyRunning
from protection.models import AccountValidation, StagingAccount, TargetAccount
from protection.rules.role_template import RoleSpec, statements
from protection.services import accounts, validation, validation_checks
from protection.tasks import validate_account, validate_unattended
from tests.worlds import (
    EAST,
    EXTERNAL_ID,
    HUB,
    NORTH,
    PERSON,
    SOUTH,
    WEST,
    registered,
    role,
    server,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def north(aws) -> TargetAccount:
    world_of([server("web-1")])
    return registered()[NORTH]


def give_role(**changes: Any) -> None:
    """Change the role of the account in AWS."""
    from drportal.simulator.world import world

    given: dict[str, Any] = {"trust": [HUB], "external_id": EXTERNAL_ID, **changes}
    world.accounts.add_role(Role(role(NORTH), **given))


def policy_without(*actions: str) -> dict[str, Any]:
    """The template's policy, but for some actions."""
    spec = RoleSpec(role(NORTH), HUB, EXTERNAL_ID)
    kept = [each for each in needed() if each.action not in actions]
    return {"Version": "2012-10-17", "Statement": statements(spec, kept)}


def validated(account: Any) -> AccountValidation:
    asked = validation.ask(account, actor=PERSON)
    validate_account(validation_id=str(asked.pk))
    asked.refresh_from_db()
    account.refresh_from_db()
    return asked


def check(found: AccountValidation, name: str, region: str = "") -> dict[str, Any]:
    made: list[dict[str, Any]] = found.checks
    (one,) = [each for each in made if (each["name"], each["region"]) == (name, region)]
    return one


def states(found: AccountValidation) -> dict[tuple[str, str], str]:
    return {(each["name"], each["region"]): each["state"] for each in found.checks}


def test_a_good_account_is_validated_by_really_going_there(north, aws):
    forget_sessions()
    found = validated(north)
    assert found.state == "PASSED"
    assert states(found) == {
        ("role", ""): "PASSED",
        ("regions", ""): "PASSED",
        **{(name, EAST): "PASSED" for name in ("drs", "quotas", "permissions")},
        **{(name, WEST): "PASSED" for name in ("drs", "quotas", "permissions")},
    }
    assert north.last_validated_at is not None
    asked = aws.calls.by_operation(account=NORTH)
    assert asked["sts:GetCallerIdentity"] == 1
    assert asked["iam:SimulatePrincipalPolicy"] > 2
    assert aws.calls.by_operation(account=HUB)["sts:AssumeRole"] >= 1
    assert AuditRecord.objects.get(event="protection.account.validated").facts["PASSED"] == 8
    assert OutboxEntry.objects.filter(kind="TargetAccounts").exists()


def test_the_templates_policy_is_enough(north):
    give_role(policy=policy_without())
    assert validated(north).state == "PASSED"


def test_the_hub_is_validated_without_a_role(north):
    hub = TargetAccount.objects.get(account_id=HUB)
    found = validated(hub)
    assert check(found, "role")["state"] == "PASSED"
    assert check(found, "drs", EAST)["state"] == "PASSED"


def test_a_hub_with_other_credentials_is_found(aws):
    world_of([])
    other = accounts.register(account_id=SOUTH, name="not us", is_hub=True, actor=PERSON)
    found = validated(other)
    assert (found.state, states(found)) == ("FAILED", {("role", ""): "FAILED"})
    assert "credentials" in check(found, "role")["remedy"]


@pytest.mark.parametrize("wrong", ["gone", "untrusting", "other external id"])
def test_a_role_that_does_not_let_us_in(north, aws, wrong):
    validated(north)
    before = north.last_validated_at
    if wrong == "gone":
        aws.accounts.remove_role(role(NORTH))
    else:
        give_role(**{"trust": [SOUTH]} if wrong == "untrusting" else {"external_id": "another"})
    found = validated(north)
    assert found.state == "FAILED"
    assert states(found) == {("role", ""): "FAILED"}
    assert "trusts the portal's account" in check(found, "role")["remedy"]
    assert EXTERNAL_ID not in str(found.checks)
    assert north.last_validated_at == before


def test_a_permission_that_a_launch_needs_is_missed_before_the_launch(north):
    give_role(policy=policy_without("ec2:CreateLaunchTemplateVersion", "ec2:RunInstances"))
    found = validated(north)
    assert found.state == "FAILED"
    said = check(found, "permissions", EAST)
    assert "ec2:CreateLaunchTemplateVersion, ec2:RunInstances" in said["detail"]
    assert "template" in said["remedy"]
    assert check(found, "drs", EAST)["state"] == "PASSED"
    assert north.last_validated_at is None
    assert AuditRecord.objects.get(event="protection.account.validated").outcome == Outcome.FAILED
    give_role(policy=policy_without())
    assert validated(north).state == "PASSED"
    assert north.last_validated_at is not None


def test_what_the_organization_denies_is_not_the_roles_fault(north, aws):
    aws.accounts.accounts[NORTH].forbidden = {"ec2:RunInstances"}
    said = check(validated(north), "permissions", EAST)
    assert said["state"] == "FAILED"
    assert "The organization denies ec2:RunInstances" in said["detail"]
    assert "organization" in said["remedy"]
    assert "template" not in said["remedy"]


def test_drs_denied_by_the_organization_where_it_is_relied_on(north, aws):
    aws.accounts.accounts[NORTH].forbidden = {"drs:*"}
    found = validated(north)
    assert found.state == "FAILED"
    said = check(found, "drs", EAST)
    assert (said["state"], "organization" in said["remedy"]) == ("FAILED", True)


def test_without_iams_word_nothing_passes(north, aws):
    """D10, D23: what was not looked at is unknown, however well all else looks."""
    give_role(policy=policy_without("iam:SimulatePrincipalPolicy"))
    found = validated(north)
    assert found.state == "UNKNOWN"
    said = check(found, "permissions", EAST)
    assert (said["state"], "iam:SimulatePrincipalPolicy" in said["remedy"]) == ("UNKNOWN", True)
    assert north.last_validated_at is None
    tried = aws.calls.matching(operation="CreateVolume", account=NORTH)
    assert tried
    assert all(call.params["DryRun"] == "true" for call in tried)


def test_without_iams_word_a_refused_reading_is_a_failure(north):
    give_role(policy=policy_without("iam:SimulatePrincipalPolicy", "ec2:DescribeSubnets"))
    said = check(validated(north), "permissions", EAST)
    assert said["state"] == "FAILED"
    assert "ec2:DescribeSubnets" in said["detail"]


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.SERVER_ERROR, Kind.TIMEOUT_BEFORE])
@pytest.mark.parametrize(
    ("operation", "name"),
    [("DescribeSourceServers", "drs"), ("SimulatePrincipalPolicy", "permissions")],
)
def test_what_aws_does_not_answer_is_unknown(north, aws, kind, operation, name):
    aws.faults.add(Fault(kind, operation=operation, account=NORTH))
    found = validated(north)
    assert found.state == "UNKNOWN"
    said = check(found, name, EAST)
    assert (said["state"], "again" in said["remedy"]) == ("UNKNOWN", True)
    assert north.last_validated_at is None


def test_sts_that_does_not_answer_leaves_it_unknown(north, aws):
    aws.faults.add(Fault(Kind.THROTTLE, operation="AssumeRole"))
    found = validated(north)
    assert (found.state, states(found)) == ("UNKNOWN", {("role", ""): "UNKNOWN"})


@pytest.mark.parametrize(
    ("kind", "state"), [(Kind.THROTTLE, "UNKNOWN"), (Kind.ACCESS_DENIED, "FAILED")]
)
def test_quotas_that_are_not_told_are_not_passed(north, aws, monkeypatch, kind, state):
    monkeypatch.undo()
    aws.faults.add(Fault(kind, operation="ListServiceQuotas"))
    found = validated(north)
    said = check(found, "quotas", EAST)
    assert (said["state"], bool(said["remedy"])) == (state, True)
    assert (found.state, north.last_validated_at) == (state, None)


def test_a_region_that_is_not_enabled_matters_where_it_is_relied_on(north, aws):
    aws.accounts.accounts[NORTH].not_opted_in = {WEST}
    found = validated(north)
    said = check(found, "drs", WEST)
    assert (
        said["state"],
        "nable the Region" in said["remedy"] or "enable it" in said["remedy"],
    ) == (
        "FAILED",
        True,
    )
    assert check(found, "drs", EAST)["state"] == "PASSED"
    north.regions.filter(region=WEST).update(listed_at=None, server_count=None)
    found = validated(north)
    assert found.state == "PASSED"
    assert f"Not in {WEST}: the Region is not enabled" in check(found, "regions")["detail"]


def test_drs_that_was_never_initialized_anywhere_is_a_failure(north, aws):
    for region in (EAST, WEST):
        drs_backends[NORTH][region].initialized = False
    north.regions.update(listed_at=None, server_count=None)
    found = validated(north)
    assert found.state == "FAILED"
    assert "Initialize DRS" in check(found, "regions")["remedy"]


def test_a_staging_account_is_validated_for_looking_only(north, aws):
    staging = StagingAccount.objects.create(
        account_id=SOUTH, name="south", role_arn=role(SOUTH), external_id=EXTERNAL_ID
    )
    found = validated(staging)
    assert (found.state, found.staging) == ("PASSED", staging)
    assert staging.last_validated_at is not None
    simulated = aws.calls.matching(operation="SimulatePrincipalPolicy", account=SOUTH)
    assert "ec2:RunInstances" not in str([call.params for call in simulated])


def test_one_validation_of_an_account_at_a_time(north):
    first = validation.ask(north, actor=PERSON)
    with pytest.raises(ValidationAlreadyRunning) as refused:
        validation.ask(north, actor=PERSON)
    assert refused.value.context["validation_id"] == str(first.pk)
    assert AccountValidation.objects.count() == 1


def test_a_validation_whose_worker_died_is_taken_over(north, monkeypatch):
    asked = validation.ask(north, actor=PERSON)
    assert validation._take(asked.pk)
    assert validation.unattended() == []
    validate_account(validation_id=str(asked.pk))
    asked.refresh_from_db()
    assert asked.state == "RUNNING"
    AccountValidation.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(tasks, "hint", lambda task, **given: sent.append((task, given)))
    validate_unattended()
    assert sent == [("protection.validate_account", {"validation_id": str(asked.pk)})]
    validate_account(**sent[0][1])
    asked.refresh_from_db()
    assert asked.state == "PASSED"


def test_a_worker_that_was_taken_over_writes_nothing(north, monkeypatch):
    asked = validation.ask(north, actor=PERSON)
    checks = validation_checks.checks_of

    def stolen(account):
        for number, found in enumerate(checks(account)):
            if number == 1:
                later = timezone.now() + timedelta(minutes=9)
                AccountValidation.objects.update(leased_until=later)
            yield found

    monkeypatch.setattr(validation_checks, "checks_of", stolen)
    validate_account(validation_id=str(asked.pk))
    asked.refresh_from_db()
    north.refresh_from_db()
    assert (asked.state, len(asked.checks), north.last_validated_at) == ("RUNNING", 1, None)


def test_a_validation_that_nobody_ends_is_given_up(north):
    asked = validation.ask(north, actor=PERSON)
    AccountValidation.objects.update(started_at=timezone.now() - timedelta(hours=1))
    validate_unattended()
    asked.refresh_from_db()
    assert (asked.state, asked.leased_until) == ("ABANDONED", None)
    assert validated(north).state == "PASSED"


def test_running_it_twice_asks_aws_once(north, aws):
    asked = validation.ask(north, actor=PERSON)
    validate_account(validation_id=str(asked.pk))
    before = len(aws.calls.matching())
    validate_account(validation_id=str(asked.pk))
    assert len(aws.calls.matching()) == before


def test_another_role_makes_an_account_one_that_is_not_validated(north):
    """D44: only a validation says that an account is validated; an edit, that it is not."""
    validated(north)
    when = north.last_validated_at
    north = accounts.edit(north, name="renamed", actor=PERSON)
    assert north.last_validated_at == when
    north = accounts.edit(north, external_id="another-word", actor=PERSON)
    assert north.last_validated_at is None


def test_a_way_in_that_changed_meanwhile_is_not_the_validated_one(north, monkeypatch):
    asked = validation.ask(north, actor=PERSON)
    checks = validation_checks.checks_of

    def while_edited(account):
        yield from checks(account)
        accounts.edit(account, external_id="another-word", actor=PERSON)

    monkeypatch.setattr(validation_checks, "checks_of", while_edited)
    validate_account(validation_id=str(asked.pk))
    asked.refresh_from_db()
    north.refresh_from_db()
    assert (asked.state, north.last_validated_at) == ("PASSED", None)


def test_registering_validates_nothing(aws):
    world_of([])
    account = accounts.register(account_id=NORTH, name="north", actor=PERSON)
    assert account.last_validated_at is None
