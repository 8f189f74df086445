"""Filters of the board that a user has saved."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from workspaces.models import Workspace


class SavedFilter(models.Model):
    """What a board shows, under a name. Without a workspace it shows all."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=50)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, null=True, related_name="+")
    search = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_filter_once")]

    def __str__(self) -> str:
        return self.name
