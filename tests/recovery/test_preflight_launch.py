"""What a preflight finds of how servers would be launched, in simulated DRS and EC2."""

from datetime import timedelta
from typing import Any

import pytest

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.models import RecoveryPlan
from recovery.services import plans, preflights
from recovery.tasks import carry_out_preflight
from tests.protection.launch_world import Place, place_of
from tests.worlds import PERSON, wave

pytestmark = pytest.mark.django_db(transaction=True)

CODES = ("launch_settings", "launch_target", "addresses")


@pytest.fixture
def place(aws) -> Place:
    """A group of two servers, of which everything is set, applied, and there."""
    place = place_of()
    place.set_group(
        subnetId=place.subnet,
        securityGroupIds=[place.security_group],
        instanceType="m5.large",
        instanceProfileName=place.profile,
    )
    place.apply()
    return place


@pytest.fixture
def plan(place) -> RecoveryPlan:
    waves = [wave("Web", place.group)]
    return plans.create(name="Plan", waves=waves, rpo=timedelta(hours=1), actor=PERSON)


def found(plan: RecoveryPlan) -> dict[str, list[dict[str, Any]]]:
    """What a new preflight finds of the launch, by its outcome and the kind of check."""
    asked = preflights.ask(plan, actor=PERSON)
    carry_out_preflight(preflight_id=str(asked.pk))
    asked.refresh_from_db()
    made: list[dict[str, Any]] = asked.checks
    return {code: [each for each in made if each["code"] == code] for code in CODES}


def outcomes(plan: RecoveryPlan) -> dict[str, set[str]]:
    return {code: {each["outcome"] for each in made} for code, made in found(plan).items()}


def test_what_is_set_and_applied_and_there_passes_and_the_score_is_full(plan):
    assert outcomes(plan) == {code: {"PASSED"} for code in CODES}
    done = preflights.last_done(plan)
    assert done is not None
    assert (done.outcome, done.score) == ("PASSED", 100)


def test_what_somebody_changed_behind_the_portals_back_is_found_at_once(plan, place):
    # E-43: DRS and EC2 are asked, not what the portal remembers.
    place.change_template("web-1", {"InstanceType": "m5.xlarge"})
    checks = {each["outcome"]: each for each in found(plan)["launch_settings"]}
    assert set(checks) == {"PASSED", "FAILED"}
    assert checks["FAILED"]["found"] == "web-1: DRS or EC2 holds another instanceType."


def test_what_was_set_and_not_applied_fails(plan, place):
    place.set_group(version=1, subnetId=place.other_subnet, instanceType="m5.large")
    assert outcomes(plan)["launch_settings"] == {"FAILED"}


def test_a_subnet_that_is_gone_is_found(plan, place):
    place.aws("ec2").delete_subnet(SubnetId=place.subnet)
    found_now = outcomes(plan)
    assert found_now["launch_target"] == {"FAILED"}
    assert found_now["addresses"] == {"FAILED"}


def test_what_drs_holds_is_looked_at_where_nothing_is_set(aws):
    place = place_of(("web-1",))
    plan = plans.create(name="Plan", waves=[wave("Web", place.group)], actor=PERSON)
    assert outcomes(plan)["launch_settings"] == {"WARNING"}
    subnet = place.other_subnet
    place.change_template("web-1", {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet}]})
    (check,) = found(plan)["addresses"]
    assert (check["outcome"], subnet in check["found"]) == ("PASSED", True)
    place.aws("ec2").delete_subnet(SubnetId=subnet)
    assert outcomes(plan)["launch_target"] == {"FAILED"}


@pytest.mark.parametrize(
    ("operation", "unknown", "passed"),
    [
        ("GetLaunchConfiguration", {"launch_settings", "launch_target"}, set()),
        ("DescribeLaunchTemplateVersions", {"launch_settings", "launch_target"}, set()),
        ("DescribeSubnets", {"launch_target", "addresses"}, {"launch_settings"}),
        ("DescribeInstanceTypeOfferings", {"launch_target"}, {"launch_settings", "addresses"}),
    ],
)
@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.ACCESS_DENIED])
def test_what_is_not_answered_is_unknown_and_the_rest_is_known(
    plan, operation, unknown, passed, kind
):
    world.faults.add(Fault(kind, operation=operation))
    told = outcomes(plan)
    assert {code for code in CODES if told[code] == {"UNKNOWN"}} == unknown
    assert {code for code in CODES if told[code] == {"PASSED"}} == passed
