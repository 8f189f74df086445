"""Who opened which terminal, and the permission to do so."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from tasks.models import Task
from workspaces.models import Workspace


class Visit(models.Model):
    """One opening of a terminal: the audit log. What was typed or shown is never kept here."""

    class Kind(models.TextChoices):
        OPEN = "open", "Opened"
        CLOSE_SESSION = "close_session", "Session closed"
        HISTORY = "history", "Saved history read"

    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.OPEN)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    username = models.CharField(max_length=150, help_text="As it was, should the account be removed")
    workspace = models.ForeignKey(Workspace, on_delete=models.SET_NULL, null=True, related_name="+")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+")
    task_number = models.BigIntegerField(null=True, help_text="As it was, should the task be removed")
    host = models.CharField(max_length=300)
    session = models.CharField(max_length=100)
    client = models.CharField(max_length=100, blank=True, help_text="The browser's address")
    opened_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="It was still open then")
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Empty: open, or the server was killed")
    created_session = models.BooleanField(default=False)

    class Meta:
        ordering = ["-opened_at"]
        default_permissions = ("view",)
        permissions = [("use_terminal", "Can use the terminals of the workspaces they see")]
        indexes = [models.Index(fields=["opened_at"])]

    def __str__(self) -> str:
        return f"{self.username} {self.kind} {self.session} on {self.host}"
