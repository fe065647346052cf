"""Operators' pages about plans, executions, notices and the configuration as a whole."""

from recovery.admin.drill_schedules import DrillScheduleAdmin
from recovery.admin.executions import ExecutionAdmin
from recovery.admin.notices import DeliveryAdmin, NoticeChannelAdmin, NoticePreferenceAdmin
from recovery.admin.plans import RecoveryPlanAdmin
from recovery.admin.transfer import ImportRunAdmin

__all__ = [
    "DeliveryAdmin",
    "DrillScheduleAdmin",
    "ExecutionAdmin",
    "ImportRunAdmin",
    "NoticeChannelAdmin",
    "NoticePreferenceAdmin",
    "RecoveryPlanAdmin",
]
