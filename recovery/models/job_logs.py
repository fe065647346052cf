"""What DRS's log of a launch job says, line by line."""

from django.db import models

from recovery.models.claims import LaunchJob


class JobLog(models.Model):
    """The log of a launch job, as DRS last told it. There is no row before DRS has told it.

    It is apart from its job because it is long, and few ask for it. `items` are the lines, the
    oldest first, `left_out` how many older ones were too many to keep, and `digest` is of all that,
    so that it is written only when it is new. When DRS was last asked is the job's `log_read_at`.
    """

    job = models.OneToOneField(
        LaunchJob, primary_key=True, on_delete=models.CASCADE, related_name="log"
    )
    items = models.JSONField(default=list)
    left_out = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"log of {self.job}"
