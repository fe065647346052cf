"""Whether an account can be entered."""

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, translated
from drportal.transactions import reaches_outside


@reaches_outside
def caller_account(scope: Scope) -> str:
    """The account that calls in `scope` are made in, as STS says. Raises AwsError."""
    with translated("GetCallerIdentity", scope):
        return str(client("sts", Use.READ, scope).get_caller_identity()["Account"])
