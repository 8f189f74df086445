"""When users were here, and which ended runs they have marked as seen."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Attendance(models.Model):
    """When a page of a user was last visible, and the absence that the user has not been told of yet."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    active_at = models.DateTimeField(help_text="When a page was last visible, to a minute")
    away_from = models.DateTimeField(null=True, blank=True, help_text="Start of the absence that is shown")
    away_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "attendance"

    def __str__(self) -> str:
        return f"user {self.user_id} at {self.active_at:%Y-%m-%d %H:%M}"


class SeenRun(models.Model):
    """A run whose end a user has marked as seen, so that it is not in the user's inbox any more."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "run"], name="run_seen_once")]

    def __str__(self) -> str:
        return f"run {self.run_id} seen by user {self.user_id}"
