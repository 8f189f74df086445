"""Changes outside a run's own branch and worktree."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet


class OutsideChange(CompareAndSet):
    """Something that changed outside a run's branch and worktree while the run was going on.

    It is shown on the task's card until a user has decided about it. Users may have changed it themselves.
    """

    class Kind(models.TextChoices):
        BRANCH = "branch", "Branch"
        FILES = "files", "Files"
        CONFIG = "config", "Settings and hooks"
        HEAD = "head", "Checked-out branch"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        PUT_BACK = "put_back", "Put back"
        KEPT = "kept", "Kept"

    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="outside_changes")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    name = models.CharField(max_length=1500, blank=True, help_text="Full name of the branch, or the worktree")
    old = models.CharField(
        max_length=250, blank=True, help_text="The branch's commit before, or what was checked out"
    )
    new = models.CharField(max_length=250, blank=True, help_text="The same after; empty for a deleted branch")
    paths = models.JSONField(default=list, help_text="Some of the files, or names of settings and hooks")
    more = models.PositiveIntegerField(default=0, help_text="Number of further files")
    by_run = models.BooleanField(default=False, help_text="Whether a tool call of the run named it")
    at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = "change outside a run"
        verbose_name_plural = "changes outside runs"
        ordering = ["pk"]
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: run {self.run_id}"

    @property
    def branch(self) -> str:
        """The short name of the branch; empty for other kinds."""
        return self.name.removeprefix("refs/heads/") if self.kind == self.Kind.BRANCH else ""
