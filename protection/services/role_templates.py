"""Handing out the template of an account's role, which holds its external id."""

from django.db import transaction

from audit.services import record
from drportal.actor import Actor
from drportal.aws.errors import AwsError
from drportal.aws.permissions import IN_STAGING, needed
from drportal.aws.sts import hub_account
from drportal.transactions import reaches_outside
from protection.errors import NoRoleTemplate
from protection.models import StagingAccount, TargetAccount
from protection.rules.role_template import RoleSpec, as_text, template


@reaches_outside
def role_template(account: TargetAccount | StagingAccount, *, actor: Actor) -> str:
    """The CloudFormation template of an account's role, in JSON, and a record of who took it.

    The role trusts the hub: the one that is registered, else the account whose credentials the
    portal has. It holds the external id, so it is for whoever may change the account. Raises
    NoRoleTemplate for the hub, without an external id, and where the hub is not known.
    """
    if not account.role_arn:
        raise NoRoleTemplate.of_hub(account)
    if not account.external_id:
        raise NoRoleTemplate.without_external_id(account)
    spec = RoleSpec(account.role_arn, _hub(), account.external_id)
    staging = isinstance(account, StagingAccount)
    text = as_text(template(spec, needed(IN_STAGING if staging else None)))
    kind = "staging_account" if staging else "account"
    with transaction.atomic():
        record(f"protection.{kind}.role_template_taken", actor=actor, subject=account)
    return text


def _hub() -> str:
    registered = TargetAccount.objects.filter(is_hub=True).first()
    if registered is not None:
        return registered.account_id
    try:
        return hub_account()
    except AwsError as error:
        raise NoRoleTemplate.without_hub(error.message) from error


def file_name(account: TargetAccount | StagingAccount) -> str:
    """What the downloaded template is called."""
    return f"drportal-role-{account.account_id}.json"
