"""The words that protection's models, pages and API use for their states and kinds."""

from django.db import models

from drportal.state import Lifecycle


class RegionStatus(models.TextChoices):
    """What an account's Region answered when it was last asked."""

    UNKNOWN = "UNKNOWN", "Unknown"
    ACTIVE = "ACTIVE", "Active"
    NOT_INITIALIZED = "NOT_INITIALIZED", "DRS not initialized"
    IAM_PERMISSION_DENIED = "IAM_PERMISSION_DENIED", "Permission denied"
    SCP_DENIED = "SCP_DENIED", "Denied by an organization policy"
    THROTTLED = "THROTTLED", "Throttled"
    REGION_NOT_OPTED_IN = "REGION_NOT_OPTED_IN", "Region not opted in"
    REGION_NOT_ENABLED = "REGION_NOT_ENABLED", "Region not enabled"
    ENDPOINT_UNREACHABLE = "ENDPOINT_UNREACHABLE", "Endpoint unreachable"
    ERROR = "ERROR", "Error"


class Selection(models.TextChoices):
    """How a protection group says which servers it holds."""

    SERVERS = "SERVERS", "Explicit servers"
    TAGS = "TAGS", "Servers with tags"


class Readiness(models.TextChoices):
    """Whether a source server could be launched now, as far as the inventory tells."""

    READY = "READY", "Ready"
    LAGGING = "LAGGING", "Ready, but behind"
    NOT_READY = "NOT_READY", "Not ready"
    UNKNOWN = "UNKNOWN", "Unknown"


class SyncKind(models.TextChoices):
    """What a sync brings in."""

    INVENTORY = "INVENTORY", "Source-server inventory"


class SyncState(models.TextChoices):
    """How a sync run stands. PARTIAL means that some account or Region did not answer."""

    RUNNING = "RUNNING", "Running"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL = "PARTIAL", "Partial"
    FAILED = "FAILED", "Failed"
    ABANDONED = "ABANDONED", "Abandoned"


SYNC = Lifecycle(
    {
        SyncState.RUNNING: set(SyncState) - {SyncState.RUNNING},
        SyncState.COMPLETED: set(),
        SyncState.PARTIAL: set(),
        SyncState.FAILED: set(),
        SyncState.ABANDONED: set(),
    }
)
