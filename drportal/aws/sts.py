"""Whether an account can be entered, and which one is the portal's own."""

from dataclasses import dataclass

from django.conf import settings

from drportal.aws.roles import forget_session, own_account
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, translated
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom AWS takes the portal for. `arn` is of the role session, or of the user."""

    account_id: str
    arn: str

    @property
    def principal(self) -> str:
        """The ARN of the role that the session is of; of one with a path, without the path."""
        parts = self.arn.split(":")
        if parts[2] != "sts":
            return self.arn
        name = parts[5].split("/")[1]
        return f"arn:{parts[1]}:iam::{parts[4]}:role/{name}"


@reaches_outside
def caller_account(scope: Scope) -> str:
    """The account that calls in `scope` are made in, as STS says. Raises AwsError."""
    return _caller(scope).account_id


@reaches_outside
def entered(scope: Scope) -> Caller:
    """Enter the account anew, whatever session is still good, and say as whom. Raises AwsError."""
    forget_session(scope.account)
    return _caller(scope)


@reaches_outside
def hub_account() -> str:
    """The account that the portal's own credentials belong to. Raises AwsError.

    Asked once in a process, with little patience: a person may be waiting.
    """
    return own_account(settings.AWS_DEFAULT_REGION)


def _caller(scope: Scope) -> Caller:
    with translated("GetCallerIdentity", scope):
        said = client("sts", Use.READ, scope).get_caller_identity()
        return Caller(str(said["Account"]), str(said["Arn"]))
