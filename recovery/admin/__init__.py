"""Operators' pages about plans, executions and the configuration as a whole."""

from recovery.admin.executions import ExecutionAdmin
from recovery.admin.plans import RecoveryPlanAdmin
from recovery.admin.transfer import ImportRunAdmin

__all__ = ["ExecutionAdmin", "ImportRunAdmin", "RecoveryPlanAdmin"]
