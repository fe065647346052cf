from typing import ClassVar

from django.db import models


class Heartbeat(models.Model):
    """When a process of the portal last gave a sign of life. One row per `name`:
    beat, worker, engine.
    """

    name = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField()

    objects: ClassVar[models.Manager["Heartbeat"]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
