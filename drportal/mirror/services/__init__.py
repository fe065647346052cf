"""Keeping DynamoDB in step with the database."""

from drportal.mirror.services.marking import mark
from drportal.mirror.services.sending import Drained, drain
from drportal.mirror.services.tables import make_tables
from drportal.mirror.services.verification import Difference, VerifyResult, repair, verify

__all__ = [
    "Difference",
    "Drained",
    "VerifyResult",
    "drain",
    "make_tables",
    "mark",
    "repair",
    "verify",
]
