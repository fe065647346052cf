"""Plans, and carrying them out."""

from recovery.models.access import RecoveryPlanGroupPermission, RecoveryPlanUserPermission
from recovery.models.checks import ServerCheck
from recovery.models.claims import AccountClaim, JobWatch, LaunchJob, ServerClaim
from recovery.models.clean_ups import CleanUp
from recovery.models.drill_schedules import DrillOccurrence, DrillSchedule
from recovery.models.executions import Execution, ExecutionEvent, Wave, WaveServer
from recovery.models.failbacks import Failback, FailbackInstance, FailbackJob
from recovery.models.gates import ApprovalLink, GateDecision
from recovery.models.job_logs import JobLog
from recovery.models.notices import Delivery, Notice, NoticeChannel, NoticePreference
from recovery.models.plans import PlanVersion, PlanWave, PlanWaveGroup, RecoveryPlan
from recovery.models.preflights import Preflight
from recovery.models.terminations import Termination, TerminationInstance, TerminationJob
from recovery.models.transfer import ImportRun
from recovery.models.wave_preflights import WavePreflight

__all__ = [
    "AccountClaim",
    "ApprovalLink",
    "CleanUp",
    "Delivery",
    "DrillOccurrence",
    "DrillSchedule",
    "Execution",
    "ExecutionEvent",
    "Failback",
    "FailbackInstance",
    "FailbackJob",
    "GateDecision",
    "ImportRun",
    "JobLog",
    "JobWatch",
    "LaunchJob",
    "Notice",
    "NoticeChannel",
    "NoticePreference",
    "PlanVersion",
    "PlanWave",
    "PlanWaveGroup",
    "Preflight",
    "RecoveryPlan",
    "RecoveryPlanGroupPermission",
    "RecoveryPlanUserPermission",
    "ServerCheck",
    "ServerClaim",
    "Termination",
    "TerminationInstance",
    "TerminationJob",
    "Wave",
    "WavePreflight",
    "WaveServer",
]
