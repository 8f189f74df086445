"""Merge trains, their steps, conflicts and overlap checks."""

from __future__ import annotations

from itertools import pairwise

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet
from aitask.lib.leases import Leased
from tasks.models.marks import Marked, once
from tasks.models.task import Task
from workspaces.merging.attempts import Strategy
from workspaces.models import Workspace

STRATEGIES = [(strategy.value, strategy.name.capitalize()) for strategy in Strategy]


class MergeTrain(CompareAndSet, Leased, Marked):
    """Merges tasks into the base branch of their workspace, one after another."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        FINISHED = "finished", "Finished"
        STOPPED = "stopped", "Stopped"
        CANCELLED = "cancelled", "Cancelled"
        UNDOING = "undoing", "Undoing"
        UNDONE = "undone", "Undone"

    IN_PROGRESS = (State.RUNNING, State.UNDOING)
    LIVE = (State.QUEUED, *IN_PROGRESS)

    class Push(models.TextChoices):
        NOT_ASKED = "", "Not requested"
        ASKED = "asked", "Requested"
        DONE = "done", "Pushed"
        FAILED = "failed", "Failed"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="trains")
    repo_key = models.CharField(max_length=1500, help_text="Host and common git folder")
    branch = models.CharField(max_length=200, help_text="The base branch")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it stopped or waits")
    strategy = models.CharField(max_length=6, choices=STRATEGIES, default=Strategy.MERGE.value)
    check_command = models.TextField(blank=True, help_text="Empty: merged without a check")
    dry_run = models.BooleanField(default=False)
    push = models.CharField(max_length=6, choices=Push.choices, blank=True)
    push_output = models.TextField(blank=True)
    old_tip = models.CharField(max_length=64, blank=True, help_text="The base branch before the train")
    tip = models.CharField(max_length=64, blank=True, help_text="The base branch after its last step")
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    undo_commit = models.CharField(max_length=64, blank=True, help_text="The commit that reverts it")
    check_number = models.PositiveIntegerField(default=0, help_text="Number of checks started for its undo")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["repo_key"],
                condition=models.Q(state__in=("running", "undoing")),
                name="one_train_per_repository",
            ),
            once("train_mark_once"),
        ]

    def __str__(self) -> str:
        return f"merge train #{self.pk}"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE

    @property
    def key(self) -> str:
        """The name of the train on hosts."""
        return f"{self.pk}-{self.mark}" if self.mark else str(self.pk)


class MergeStep(CompareAndSet):
    """One task's part of a merge train. The row always shows how far it has got."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        MERGING = "merging", "Merging"
        CHECKING = "checking", "Checking"
        MOVING = "moving", "Updating main"
        MERGED = "merged", "Merged"
        CLEAN = "clean", "Would merge"
        ALREADY = "already", "Already merged"
        NOTHING = "nothing", "Nothing to merge"
        CONFLICT = "conflict", "Conflict"
        CHECK_FAILED = "check_failed", "Check failed"
        REFUSED = "refused", "Refused by git"
        LEFT_OUT = "left_out", "Left out"
        BLOCKED = "blocked", "Stopped here"

    OPEN = (State.WAITING, State.MERGING, State.CHECKING, State.MOVING)
    GOOD = (State.MERGED, State.CLEAN, State.ALREADY, State.NOTHING)

    train = models.ForeignKey(MergeTrain, on_delete=models.CASCADE, related_name="steps")
    task = models.ForeignKey(
        "tasks.Task", on_delete=models.SET_NULL, null=True, blank=True, related_name="merge_steps"
    )
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    branch = models.CharField(max_length=250)
    commit = models.CharField(max_length=64, blank=True, help_text="The branch tip to merge")
    fork = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    onto = models.CharField(max_length=64, blank=True, help_text="Tip of the base branch during the attempt")
    candidate = models.CharField(max_length=64, blank=True, help_text="The new tip of the base branch")
    checking = models.CharField(
        max_length=64, blank=True, help_text="The commit being checked: each of a rebase, else the candidate"
    )
    reason = models.TextField(blank=True)
    files = models.JSONField(default=list, blank=True, help_text="Conflicts: path, kind, hunks")
    output = models.TextField(blank=True, help_text="The end of the output of git or the check")
    tries = models.PositiveIntegerField(default=0, help_text="More than one if the base branch moved")
    check_number = models.PositiveIntegerField(default=0, help_text="Number of checks started")
    checks_lost = models.PositiveIntegerField(
        default=0, help_text="Consecutive checks that ended without a result"
    )
    brought_back = models.CharField(
        max_length=64, blank=True, help_text="The commit that reapplied it after an undo"
    )
    check_seconds = models.FloatField(null=True, blank=True)
    checked_since = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["train", "position"]
        constraints = [
            models.UniqueConstraint(fields=["train", "position"], name="step_position_once_per_train")
        ]

    def __str__(self) -> str:
        return f"step {self.position} of merge train #{self.train_id}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def opens(self) -> bool:
        """Whether its output is shown expanded."""
        return self.state in (self.State.CHECKING, self.State.CHECK_FAILED, self.State.REFUSED)


class Resolution(CompareAndSet):
    """A conflict given to an agent: the base branch was merged into the branch, with conflict markers."""

    class State(models.TextChoices):
        ASKED = "asked", "In progress"
        READY = "ready", "Waits to be accepted"
        DONE = "done", "Resolved"
        FAILED = "failed", "Not resolved"

    task = models.OneToOneField("tasks.Task", on_delete=models.CASCADE, related_name="resolution")
    run = models.ForeignKey("tasks.Run", on_delete=models.SET_NULL, null=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    main = models.CharField(max_length=64, help_text="The commit that was merged into the branch")
    paths = models.JSONField(default=list, help_text="Keys of the conflicting files")
    strategy = models.CharField(max_length=6, default=Strategy.MERGE.value)
    checked = models.BooleanField(default=True, help_text="Whether its next merge train runs the check")
    accepted = models.CharField(max_length=64, blank=True, help_text="The branch tip before the merge")
    resolved = models.CharField(max_length=64, blank=True, help_text="The branch tip after the agent's run")
    state = models.CharField(max_length=6, choices=State.choices, default=State.ASKED)
    reason = models.TextField(blank=True)
    train = models.ForeignKey(MergeTrain, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"resolution of task {self.task_id}: {self.state}"


class Radar(Leased):
    """The last overlap check of a workspace: which branches change the same files, for these tips."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="radar")
    main = models.CharField(max_length=64, blank=True)
    tips = models.JSONField(default=dict, help_text="Task → commit that was compared")
    pairs = models.JSONField(default=list, help_text="{left, right, left_tip, right_tip, files, conflicts}")
    with_main = models.JSONField(default=dict, help_text="Task → {tip, main, conflicts}")
    wanted_at = models.DateTimeField(null=True, blank=True, help_text="When the next check was requested")
    looked_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0)
    reason = models.TextField(blank=True, help_text="Why the last check failed")

    class Meta:
        verbose_name = "overlap check"

    def __str__(self) -> str:
        return f"overlap check of workspace {self.workspace_id}"


def undone_step(task: Task) -> MergeStep | None:
    """Return the task's last merge if it was a merge commit that an undo has reverted, else None."""
    merged = MergeStep.objects.filter(task=task, state=MergeStep.State.MERGED, train__strategy="merge")
    step = merged.select_related("train").order_by("-train").first()
    if step is None or step.brought_back or step.train.state != MergeTrain.State.UNDONE:
        return None
    return step if step.train.undo_commit else None


def tip_before(train: MergeTrain) -> str:
    """Return main's tip before the first merge; empty if there are other commits between the merges."""
    merged = list(train.steps.filter(state=MergeStep.State.MERGED).order_by("position"))
    between = any(later.onto != earlier.candidate for earlier, later in pairwise(merged))
    return "" if between or not merged else merged[0].onto
