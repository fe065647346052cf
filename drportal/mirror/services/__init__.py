"""Keeping DynamoDB in step with the database."""

from drportal.mirror.services.marking import mark
from drportal.mirror.services.restoring import Restored, restore
from drportal.mirror.services.resync import resync
from drportal.mirror.services.sending import Drained, drain, drain_all, take_over
from drportal.mirror.services.tables import make_tables
from drportal.mirror.services.verification import Difference, VerifyResult, repair, verify

__all__ = [
    "Difference",
    "Drained",
    "Restored",
    "VerifyResult",
    "drain",
    "drain_all",
    "make_tables",
    "mark",
    "repair",
    "restore",
    "resync",
    "take_over",
    "verify",
]
