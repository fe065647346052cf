"""What an account's role may do, tried out without doing it: for where IAM will not say.

EC2 answers a dry run with DryRunOperation or UnauthorizedOperation, and does nothing either way
(EC2 API reference). Of DRS and EC2 a listing of one entry is asked.
"""

from collections.abc import Callable, Mapping
from typing import Final

from drportal.aws.errors import AwsError
from drportal.aws.permissions import MANAGED
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, translated
from drportal.transactions import reaches_outside

_WOULD_WORK: Final = "DryRunOperation"

Try = Callable[[Scope], object]


def _drs(method: str, operation: str) -> Try:
    def tried(scope: Scope) -> None:
        with translated(operation, scope):
            getattr(client("drs", Use.READ, scope), method)(maxResults=1)

    return tried


def _ec2(method: str, operation: str) -> Try:
    def tried(scope: Scope) -> None:
        try:
            with translated(operation, scope):
                getattr(client("ec2", Use.READ, scope), method)(DryRun=True)
        except AwsError as error:
            if error.context["aws_code"] != _WOULD_WORK:
                raise

    return tried


def _volume(scope: Scope) -> None:
    """As DRS would make one. Through DRS more may be allowed than directly."""
    tags = [{"Key": MANAGED, "Value": "drs.amazonaws.com"}]
    try:
        with translated("CreateVolume", scope):
            client("ec2", Use.WRITE, scope).create_volume(
                AvailabilityZone=f"{scope.region}a",
                Size=1,
                TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
                DryRun=True,
            )
    except AwsError as error:
        if error.context["aws_code"] != _WOULD_WORK:
            raise


# What a refusal means is certain for these: they are called just like that.
READS: Final[Mapping[str, Try]] = {
    "drs:DescribeSourceServers": _drs("describe_source_servers", "DescribeSourceServers"),
    "drs:DescribeJobs": _drs("describe_jobs", "DescribeJobs"),
    "drs:DescribeRecoveryInstances": _drs(
        "describe_recovery_instances", "DescribeRecoveryInstances"
    ),
    "ec2:DescribeInstances": _ec2("describe_instances", "DescribeInstances"),
    "ec2:DescribeLaunchTemplates": _ec2("describe_launch_templates", "DescribeLaunchTemplates"),
    "ec2:DescribeSubnets": _ec2("describe_subnets", "DescribeSubnets"),
    "ec2:DescribeSecurityGroups": _ec2("describe_security_groups", "DescribeSecurityGroups"),
}
# A role may be allowed these through DRS and not directly: a refusal says nothing.
WRITES: Final[Mapping[str, Try]] = {"ec2:CreateVolume": _volume}


@reaches_outside
def quotas(scope: Scope) -> None:
    """Raise AwsError unless Service Quotas tells those of DRS."""
    with translated("ListServiceQuotas", scope):
        client("service-quotas", Use.READ, scope).list_service_quotas(ServiceCode="drs")


@reaches_outside
def refusals(scope: Scope, trials: Mapping[str, Try]) -> dict[str, AwsError]:
    """Try each, and return what did not work: the action, and what AWS said."""
    found = {}
    for action, attempt in trials.items():
        try:
            attempt(scope)
        except AwsError as error:
            found[action] = error
    return found
