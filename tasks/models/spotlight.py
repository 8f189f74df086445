"""What Spotlight shows in the checkouts of workspaces. The host's journal decides; this row is a copy."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet
from aitask.lib.leases import Leased
from tasks.models.task import Task
from workspaces.models import Workspace


class Spotlight(CompareAndSet, Leased):
    """The Spotlight of a workspace: which task its checkout shows, or is about to show."""

    class State(models.TextChoices):
        OFF = "off", "Off"
        SHOWING = "showing", "Replacing files"
        SHOWN = "shown", "Shown"
        RETURNING = "returning", "Going back"

    BUSY = (State.SHOWING, State.RETURNING)
    AT_REST = (State.OFF, State.SHOWN)

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="spotlight")
    state = models.CharField(max_length=9, choices=State.choices, default=State.OFF)
    task = models.ForeignKey(
        Task, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="What is shown"
    )
    wanted = models.ForeignKey(
        Task,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="What was asked for",
    )
    commit = models.CharField(max_length=64, blank=True, help_text="The commit that is shown")
    path = models.CharField(max_length=1000, blank=True, help_text="The checkout")
    rescue = models.CharField(max_length=250, blank=True, help_text="The ref that keeps uncommitted work")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    told = models.TextField(blank=True, help_text="What to know about it")
    reason = models.TextField(blank=True, help_text="Why the last request failed")
    hint = models.TextField(blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "Spotlight"

    def __str__(self) -> str:
        return f"Spotlight of workspace {self.workspace_id}"

    @property
    def is_busy(self) -> bool:
        return self.state in self.BUSY

    @property
    def is_on(self) -> bool:
        """Whether the checkout differs because of it, or may do so in a moment."""
        return self.state != self.State.OFF
