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
    RECOVERY_INSTANCES = "RECOVERY_INSTANCES", "Recovery instances"
    STAGING = "STAGING", "Staging accounts"
    TAGS = "TAGS", "Tags from EC2 to DRS"


class SyncState(models.TextChoices):
    """How a sync run stands. PARTIAL means that some account or Region did not answer, NOTHING
    that there was none to ask, or that all were left for later: it is no success.
    """

    RUNNING = "RUNNING", "Running"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL = "PARTIAL", "Partial"
    NOTHING = "NOTHING", "Nothing scanned"
    FAILED = "FAILED", "Failed"
    ABANDONED = "ABANDONED", "Abandoned"


SYNC = Lifecycle(
    {
        SyncState.RUNNING: set(SyncState) - {SyncState.RUNNING},
        SyncState.COMPLETED: set(),
        SyncState.PARTIAL: set(),
        SyncState.NOTHING: set(),
        SyncState.FAILED: set(),
        SyncState.ABANDONED: set(),
    }
)


class CheckState(models.TextChoices):
    """What a check found. UNKNOWN means that it could not be made, which is not a pass."""

    PASSED = "PASSED", "Passed"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"


class ValidationState(models.TextChoices):
    """How the validation of an account stands. UNKNOWN means that a check could not be made."""

    RUNNING = "RUNNING", "Running"
    PASSED = "PASSED", "Passed"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"
    ABANDONED = "ABANDONED", "Abandoned"


VALIDATION = Lifecycle(
    {
        ValidationState.RUNNING: set(ValidationState) - {ValidationState.RUNNING},
        ValidationState.PASSED: set(),
        ValidationState.FAILED: set(),
        ValidationState.UNKNOWN: set(),
        ValidationState.ABANDONED: set(),
    }
)


class ExtensionState(models.TextChoices):
    """How a server of a staging account stands towards a target account.

    HELD_BACK means that a check before the extension says no, FAILED that AWS did; both are looked
    at again later. UNKNOWN means that a check could not be made: then nothing is extended either.
    """

    FOUND = "FOUND", "Found, not extended yet"
    EXTENDED = "EXTENDED", "Extended"
    HELD_BACK = "HELD_BACK", "Held back"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"


# A listing of DRS says how a server stands, whatever was thought before.
EXTENSION = Lifecycle({state: set(ExtensionState) for state in ExtensionState})


class SettingsLevel(models.TextChoices):
    """Whose launch settings they are. A narrower level goes before a wider one."""

    INSTALLATION = "INSTALLATION", "Installation"
    GROUP = "GROUP", "Group"
    SERVER = "SERVER", "Server"


class Combination(models.TextChoices):
    """What a server's own launch settings do with those of its group."""

    ADD = "ADD", "Add to the group's"
    REPLACE = "REPLACE", "Replace the group's"


class ApplyState(models.TextChoices):
    """How the applying of a group's launch settings stands."""

    PENDING = "PENDING", "Pending"
    RUNNING = "RUNNING", "Running"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL = "PARTIAL", "Partial"
    FAILED = "FAILED", "Failed"
    ABANDONED = "ABANDONED", "Abandoned"


APPLY = Lifecycle(
    {
        ApplyState.PENDING: {ApplyState.RUNNING, ApplyState.FAILED, ApplyState.ABANDONED},
        ApplyState.RUNNING: {
            ApplyState.COMPLETED,
            ApplyState.PARTIAL,
            ApplyState.FAILED,
            ApplyState.ABANDONED,
        },
        ApplyState.COMPLETED: set(),
        ApplyState.PARTIAL: set(),
        ApplyState.FAILED: set(),
        ApplyState.ABANDONED: set(),
    }
)


class AppliedState(models.TextChoices):
    """What became of one server when its group's launch settings were applied."""

    PENDING = "PENDING", "Pending"
    APPLIED = "APPLIED", "Applied"
    FAILED = "FAILED", "Failed"
    UNKNOWN = "UNKNOWN", "Unknown"


APPLIED = Lifecycle(
    {
        AppliedState.PENDING: {AppliedState.APPLIED, AppliedState.FAILED, AppliedState.UNKNOWN},
        AppliedState.APPLIED: set(),
        AppliedState.FAILED: set(),
        AppliedState.UNKNOWN: set(),
    }
)


class DriftState(models.TextChoices):
    """Whether DRS and EC2 hold what the launch settings say. UNKNOWN means not looked at, or that
    AWS did not answer.
    """

    UNKNOWN = "UNKNOWN", "Unknown"
    IN_STEP = "IN_STEP", "In step"
    DRIFTED = "DRIFTED", "Drifted"


class SkipReason(models.TextChoices):
    """Why a sync passed over a server, or over one of its tags."""

    ORIGIN_NOT_REGISTERED = "ORIGIN_NOT_REGISTERED", "Origin account not registered"
    ORIGIN_SILENT = "ORIGIN_SILENT", "EC2 of the origin did not answer"
    NO_INSTANCE = "NO_INSTANCE", "Not from EC2"
    INSTANCE_GONE = "INSTANCE_GONE", "EC2 no longer knows the instance"
    DISCONNECTED = "DISCONNECTED", "Disconnected"
    NOT_LISTED_YET = "NOT_LISTED_YET", "Not in the inventory yet"
    TAG_NOT_OURS = "TAG_NOT_OURS", "Tag that somebody else set"
    TAG_TOO_LONG = "TAG_TOO_LONG", "Tag too long"
    TAG_TWICE = "TAG_TWICE", "Tag whose key another one takes"
    TAGS_FULL = "TAGS_FULL", "Tag beyond the 50 that DRS holds"


class Measure(models.TextChoices):
    """What a quota of DRS limits, in one account and Region."""

    REPLICATING_SERVERS = "REPLICATING_SERVERS", "Replicating servers"
    SOURCE_SERVERS = "SOURCE_SERVERS", "Source servers"
    CONCURRENT_JOBS = "CONCURRENT_JOBS", "Jobs now"
    SERVERS_IN_JOBS = "SERVERS_IN_JOBS", "Servers in jobs now"
    SERVERS_PER_JOB = "SERVERS_PER_JOB", "Servers in the largest job now"


class CapacityState(models.TextChoices):
    """How full an account and Region is. UNKNOWN means that it could not be read: it is not OK."""

    OK = "OK", "OK"
    INFO = "INFO", "Filling up"
    WARNING = "WARNING", "Warning"
    CRITICAL = "CRITICAL", "Critical"
    HYPER_CRITICAL = "HYPER_CRITICAL", "Hyper-critical"
    UNKNOWN = "UNKNOWN", "Unknown"


class LaunchStatus(models.TextChoices):
    """How launch settings stand, of a server or a group. The reference system's words, and one
    more: `unknown` is what nobody has looked at since the settings or AWS may have changed.
    """

    NOT_CONFIGURED = "not_configured", "Nothing set"
    PENDING = "pending", "To be applied"
    SYNCING = "syncing", "Being applied"
    READY = "ready", "In step"
    PARTIAL = "partial", "Partly failed"
    FAILED = "failed", "Failed"
    DRIFTED = "drifted", "Drifted"
    UNKNOWN = "unknown", "Unknown"
