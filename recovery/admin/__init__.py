"""Operators' pages about plans and executions."""

from recovery.admin.executions import ExecutionAdmin
from recovery.admin.plans import RecoveryPlanAdmin

__all__ = ["ExecutionAdmin", "RecoveryPlanAdmin"]
