"""Imports of configuration: what was brought in, by whom, and what became of each part."""

import uuid

from django.db import models
from django.utils import timezone


class ImportRun(models.Model):
    """One import of a configuration document, or a dry run of one.

    `outcome` is what the caller was told: what would be, or was, created, updated, left alone and
    refused.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    mode = models.CharField(max_length=16)
    dry_run = models.BooleanField()
    succeeded = models.BooleanField()
    requested_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    document_digest = models.CharField(max_length=64)
    outcome = models.JSONField(default=dict)

    class Meta:
        verbose_name = "import"
        ordering = ("-created_at", "id")
        default_permissions = ("view",)
        permissions = (
            ("export_configuration", "Can export the configuration"),
            ("import_configuration", "Can import a configuration"),
        )

    def __str__(self) -> str:
        return f"import {self.created_at:%Y-%m-%d %H:%M}"
