import pytest
from django.core.checks import run_checks

from drportal import checks


@pytest.mark.parametrize(
    ("check", "changed", "found"),
    [
        (checks.polling, {"POLL_FASTEST_SECONDS": 20, "POLL_SLOWEST_SECONDS": 5}, "E001"),
        (checks.launching, {"LAUNCH_SETTLE_SECONDS": 5, "LEASE_SECONDS": 8}, "E002"),
        (checks.regions, {"MIRROR_REGION": "Virginia"}, "E003"),
        (checks.regions, {"AWS_DEFAULT_REGION": ""}, "E003"),
        (checks.regions, {"DRS_REGIONS": ["us-east-1", "us-east-1a"]}, "E003"),
        (checks.broker, {"CELERY_BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 60}}, "E004"),
        (checks.mail, {"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, "E005"),
        (checks.real_aws, {"AWS_ENDPOINT_URL": "http://localhost:5000"}, "W001"),
    ],
)
def test_settings_that_contradict_each_other_are_told(settings, check, changed, found):
    for name, value in changed.items():
        setattr(settings, name, value)
    (message,) = check()
    assert message.id == f"drportal.{found}"
    assert message.hint


@pytest.mark.parametrize(
    "check",
    [checks.polling, checks.launching, checks.regions, checks.broker, checks.mail, checks.real_aws],
)
def test_the_defaults_do_not(settings, check):
    settings.AWS_ENDPOINT_URL = ""
    assert check() == []


@pytest.mark.parametrize("region", ["us-gov-west-1", "ap-southeast-4", "eusc-de-east-1"])
def test_regions_of_every_partition_are_regions(settings, region):
    settings.MIRROR_REGION = region
    assert checks.regions() == []


def test_django_asks_them(settings):
    settings.POLL_FASTEST_SECONDS, settings.POLL_SLOWEST_SECONDS = 20, 5
    asked = run_checks(tags=["compatibility"])
    assert "drportal.E001" in {message.id for message in asked}
    settings.AWS_ENDPOINT_URL = "http://localhost:5000"
    asked = run_checks(tags=["security"])
    assert "drportal.W001" not in {message.id for message in asked}
    asked = run_checks(tags=["security"], include_deployment_checks=True)
    assert "drportal.W001" in {message.id for message in asked}
