"""What a plan may choose among, and how its checks weigh. What moves is in `recovery.states`."""

from django.db import models


class GateExpiry(models.TextChoices):
    """What becomes of a wave whose gate nobody opened in time, or that was denied. It never just
    opens. A denial cannot be waited out: where an expiry waits, a denial blocks the wave.
    """

    WAIT = "WAIT", "Keep waiting"
    BLOCK = "BLOCK", "Block the wave"
    CANCEL = "CANCEL", "Cancel the execution"


class LaunchSettingsPolicy(models.TextChoices):
    """What is done about launch settings that DRS or EC2 hold otherwise than they are set, when a
    wave could launch.
    """

    BLOCK = "BLOCK", "Do not launch the wave"
    APPLY = "APPLY", "Apply them, verify, then launch"
    LAUNCH_ANYWAY = "LAUNCH_ANYWAY", "Launch as DRS holds them, and say so"


class ServerCheckKind(models.TextChoices):
    """What is looked at after a launch."""

    EC2_STATUS = "EC2_STATUS", "EC2 status checks"
    TCP = "TCP", "TCP connection"
    HTTP = "HTTP", "HTTP request"
    SSM = "SSM", "Systems Manager document"


class CheckLevel(models.TextChoices):
    """What a check of a plan found amounts to. An ERROR keeps the plan from being saved."""

    ERROR = "ERROR", "Error"
    WARNING = "WARNING", "Warning"
