"""Tasks: pieces of work for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.text import Truncator, slugify

from tasks.models.marks import Marked, once
from tasks.models.words import WordsField
from workspaces import clis
from workspaces.models import PermissionMode, Workspace
from workspaces.validators import validate_word

if TYPE_CHECKING:
    from tasks.models.run import Run

LOWEST, HIGHEST = -100, 100
RANK_GAP = 1024.0
"""Distance between the ranks of neighbours, large enough for many moves in between."""


ONLY_READS = "Only reads"
"""What the agent of a plan may do, whatever its permission mode is."""


class Task(Marked):
    """A piece of work with its own branch. Its status is its column on the board."""

    class Status(models.TextChoices):
        BACKLOG = "backlog", "Backlog"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        REVIEW = "review", "Review"
        DONE = "done", "Done"

    class Kind(models.TextChoices):
        """What its runs do: work on its branch, or only read, and propose other tasks."""

        WORK = "work", "Work"
        PLAN = "plan", "Plan"

    class Priority(models.IntegerChoices):
        """The priorities that forms offer; any number between LOWEST and HIGHEST is valid."""

        URGENT = 2, "Urgent"
        HIGH = 1, "High"
        NORMAL = 0, "Normal"
        LOW = -1, "Low"

    class Until(models.TextChoices):
        """What a task waits for that comes after others."""

        MERGED = "merged", "merged"
        FINISHED = "finished", "finished"

    BY_PRIORITY = (Status.BACKLOG, Status.QUEUED)
    """The columns in which a higher priority comes first."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="tasks")
    kind = models.CharField(max_length=4, choices=Kind.choices, default=Kind.WORK, editable=False)
    title = models.CharField(max_length=200)
    prompt = models.TextField(blank=True)
    backend = models.CharField(max_length=20, choices=clis.choices)
    model = models.CharField(max_length=100, blank=True, help_text="Empty: CLI default")
    reasoning_effort = models.CharField(max_length=20, blank=True)
    permission_mode = models.CharField(
        "permissions",
        max_length=5,
        blank=True,
        choices=PermissionMode.choices,
        help_text="Empty: as the workspace",
    )
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.BACKLOG)
    labels = WordsField(default=list, blank=True)
    priority = models.SmallIntegerField(
        default=0,
        validators=[MinValueValidator(LOWEST), MaxValueValidator(HIGHEST)],
        help_text="A higher one comes first in Backlog and in the queue; 1 is high, 2 urgent, -1 low",
    )
    base_branch = models.CharField(
        max_length=200,
        blank=True,
        validators=[validate_word],
        help_text="The branch that it starts from. Empty: the workspace's",
    )
    after_until = models.CharField(
        max_length=8,
        choices=Until.choices,
        default=Until.MERGED,
        help_text="What it waits for: that its predecessors are merged, or that its predecessor is finished",
    )
    archived_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Set: a done task that the board shows only when it is searched for",
    )
    rank = models.FloatField(default=0, help_text="Position in its column, smallest first")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    branch = models.CharField(max_length=250, blank=True, editable=False)
    worktree_path = models.CharField(max_length=1500, blank=True, editable=False)
    base_commit = models.CharField(max_length=64, blank=True, editable=False)
    copied_files = models.JSONField(
        default=list, editable=False, help_text="Files that are never committed for the agent"
    )
    files_changed = models.PositiveIntegerField(default=0, editable=False)
    lines_added = models.PositiveIntegerField(default=0, editable=False)
    lines_deleted = models.PositiveIntegerField(default=0, editable=False)

    attempt_group = models.UUIDField(
        null=True, editable=False, db_index=True, help_text="The same for all attempts at one prompt"
    )
    attempt = models.PositiveSmallIntegerField(
        null=True, editable=False, help_text="Number in its group, from 1"
    )

    newest_run: Run | None
    "Only tasks that come from `with_newest_runs` have it."

    class Meta:
        ordering = ["rank", "pk"]
        indexes = [
            models.Index(fields=["workspace", "status", "archived_at", "rank"]),
            models.Index(fields=["rank", "id"]),
            models.Index(fields=["status", "archived_at", "rank", "id"]),
            models.Index(fields=["status", "archived_at", "-priority", "rank", "id"]),
            models.Index(fields=["status", "archived_at", "-updated_at", "-id"]),
        ]
        constraints = [once("task_mark_once")]

    def __str__(self) -> str:
        return f"#{self.pk} {Truncator(self.title).chars(60)}"

    @classmethod
    def rank_at_end(cls, status: str) -> float:
        """Return the rank for a card at the end of a column."""
        last: float | None = cls.objects.filter(status=status).aggregate(last=models.Max("rank"))["last"]
        return (last or 0.0) + RANK_GAP

    @property
    def priority_label(self) -> str:
        """The priority in a word: that of the nearest one that forms offer."""
        nearest = max(self.Priority.LOW, min(self.priority, self.Priority.URGENT))
        return str(self.Priority(nearest).label)

    @property
    def after(self) -> list[int]:
        """The numbers of the tasks that it comes after, also of deleted ones."""
        return list(self.dependencies.order_by("number").values_list("number", flat=True))

    @property
    def permission_words(self) -> str:
        """What its agents may do, in a few words; empty if that is as the workspace says."""
        if self.is_plan:
            return ONLY_READS
        return str(self.get_permission_mode_display()) if self.permission_mode else ""

    @property
    def is_plan(self) -> bool:
        return self.kind == self.Kind.PLAN

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    @property
    def slug(self) -> str:
        """The readable part of the branch name; never empty, at most 40 characters."""
        return slugify(self.title)[:40].strip("-_") or "task"

    @property
    def last_run(self) -> Run | None:
        """The newest run; that which `with_newest_runs` has read if there is one."""
        if "newest_run" in self.__dict__:
            return self.newest_run
        return self.runs.order_by("-number").first()
