"""The terminal log, and the permission to use terminals."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from tasks.models import Task
from workspaces.models import Workspace


class Visit(models.Model):
    """An entry of the terminal log: a user opened or closed a session, or read its saved history.

    Input and output are never stored.
    """

    class Kind(models.TextChoices):
        OPEN = "open", "Opened"
        CLOSE_SESSION = "close_session", "Session closed"
        HISTORY = "history", "Saved history read"

    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.OPEN)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    username = models.CharField(max_length=150, help_text="Kept when the account is deleted")
    workspace = models.ForeignKey(Workspace, on_delete=models.SET_NULL, null=True, related_name="+")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+")
    task_number = models.BigIntegerField(null=True, help_text="Kept when the task is deleted")
    host = models.CharField(max_length=300)
    session = models.CharField(max_length=100)
    client = models.CharField(max_length=100, blank=True, help_text="IP address of the browser")
    opened_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(
        default=timezone.now, help_text="When the terminal was last known to be open"
    )
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty while open, or if the server was killed"
    )
    created_session = models.BooleanField(default=False)

    class Meta:
        verbose_name = "terminal log entry"
        verbose_name_plural = "terminal log"
        ordering = ["-opened_at"]
        default_permissions = ("view",)
        permissions = [("use_terminal", "Can use the terminals of the workspaces they see")]
        indexes = [models.Index(fields=["opened_at"])]

    def __str__(self) -> str:
        return f"{self.username} {self.kind} {self.session} on {self.host}"
