"""What an account's id, name, role and external id may be: the same for target and staging."""

import re
import secrets

DEFAULT_ROLE = "DRSOrchestrationRole"
ROLE_ARN_PATTERN = r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}$"
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")  # STS API reference, ExternalId
_LONGEST_NAME = 64
# The codes of what is wrong with a field, as the reference system spells them.
INVALID_FORMAT = "INVALID_FORMAT"
INVALID_ROLE_ARN = "INVALID_ROLE_ARN"

Complaint = dict[str, str]


def default_role_arn(account_id: str, *, partition: str = "aws") -> str:
    """The ARN of the role that the portal's own template makes in an account."""
    return f"arn:{partition}:iam::{account_id}:role/{DEFAULT_ROLE}"


def new_external_id() -> str:
    """An external id that nobody can guess."""
    return secrets.token_urlsafe(24)


def partition_of(role_arn: str) -> str:
    """The AWS partition that a role's ARN is in."""
    return role_arn.split(":")[1]


def is_account_id(text: str) -> bool:
    """Whether this is an AWS account id: twelve digits, and ASCII ones."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def identity_errors(account_id: str, name: str) -> list[Complaint]:
    """What is wrong with an account's id and name."""
    errors = []
    if not is_account_id(account_id):
        errors.append(complaint("account_id", INVALID_FORMAT, "An account id has 12 digits."))
    if not 1 <= len(name) <= _LONGEST_NAME:
        errors.append(complaint("name", INVALID_FORMAT, "A name has 1 to 64 characters."))
    return errors


def role_errors(account_id: str, role_arn: str, external_id: str) -> list[Complaint]:
    """What is wrong with the role of an account and its external id. Nothing is said of the role
    where the account id is wrong: a role is judged by the account that it is in.
    """
    if not is_account_id(account_id):
        return []
    errors = []
    if not re.fullmatch(ROLE_ARN_PATTERN, role_arn, re.ASCII):
        message = "This is not the ARN of an IAM role."
        errors.append(complaint("role_arn", INVALID_ROLE_ARN, message))
    elif role_arn.split(":")[4] != account_id:
        errors.append(complaint("role_arn", INVALID_ROLE_ARN, "The role is in another account."))
    if external_id and not _EXTERNAL_ID.fullmatch(external_id):
        message = "STS does not take such an external id."
        errors.append(complaint("external_id", INVALID_FORMAT, message))
    return errors


def complaint(field: str, code: str, message: str) -> Complaint:
    """What is wrong with one field."""
    return {"field": field, "code": code, "message": message}
