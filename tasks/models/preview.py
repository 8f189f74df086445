"""Previews that users have opened."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.db import models
from django.utils import timezone

from tasks.models.task import Task
from workspaces.models import ApiToken, Workspace


class PreviewGrant(models.Model):
    """A user's right to see one port of a task, or of a checkout, in one browser, at one host name.

    The token in the address that opens a preview becomes a cookie once. Both are only stored as digests. The
    grant ends with the session, or the API token, by which it was opened.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    workspace = models.ForeignKey(
        Workspace,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose checkout it is, if the port is none of a task",
    )
    port = models.PositiveIntegerField()
    is_typed = models.BooleanField(help_text="Whether the user has typed the port: it need not be the task's")
    host = models.CharField(max_length=300, help_text="The host name of the preview, with its port")
    session_key = models.CharField(max_length=40, blank=True, db_index=True)
    api_token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, null=True, related_name="+")
    token_digest = models.CharField(max_length=64, unique=True)
    cookie_digest = models.CharField(max_length=64, blank=True, db_index=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(task=None, workspace__isnull=False)
                | models.Q(task__isnull=False, workspace=None),
                name="preview_of_task_or_checkout",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host} of {self.user_id}"

    @staticmethod
    def digest_of(secret: str) -> str:
        """Return the SHA-256 of a token or a cookie: they have 256 random bits."""
        return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
