"""Trains that carry accepted work into the base branch."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet
from aitask.lib.leases import Leased
from tasks.models.task import Task
from workspaces.merging.attempts import Strategy
from workspaces.models import Workspace

STRATEGIES = [(strategy.value, strategy.name.capitalize()) for strategy in Strategy]


class MergeTrain(CompareAndSet, Leased):
    """Some tasks on their way into the base branch of their workspace, one after another."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waits for its turn"
        RUNNING = "running", "Under way"
        FINISHED = "finished", "Finished"
        STOPPED = "stopped", "Stopped"
        CANCELLED = "cancelled", "Cancelled"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    AT_WORK = (State.RUNNING, State.UNDOING)
    LIVE = (State.QUEUED, *AT_WORK)

    class Push(models.TextChoices):
        NOT_ASKED = "", "Not asked for"
        ASKED = "asked", "Asked for"
        DONE = "done", "Pushed"
        FAILED = "failed", "Failed"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="trains")
    repo_key = models.CharField(max_length=1500, help_text="Host and common git folder")
    branch = models.CharField(max_length=200, help_text="What is merged into")
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
    undo_commit = models.CharField(max_length=64, blank=True, help_text="The commit that takes it back")
    check_number = models.PositiveIntegerField(default=0, help_text="Checks that were begun for its undo")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["repo_key"],
                condition=models.Q(state__in=("running", "undoing")),
                name="one_train_per_repository",
            ),
        ]

    def __str__(self) -> str:
        return f"train {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE


class MergeStep(CompareAndSet):
    """One task's turn in a train; the row says at any moment how far it got."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waits"
        MERGING = "merging", "Merging"
        CHECKING = "checking", "Checking"
        MOVING = "moving", "Moving main"
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
    commit = models.CharField(max_length=64, blank=True, help_text="The branch's tip that is merged")
    fork = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    onto = models.CharField(max_length=64, blank=True, help_text="What main was when it was tried")
    candidate = models.CharField(max_length=64, blank=True, help_text="What main is to be")
    checking = models.CharField(
        max_length=64, blank=True, help_text="What is checked: each commit of a rebase, else the candidate"
    )
    reason = models.TextField(blank=True)
    files = models.JSONField(default=list, blank=True, help_text="Conflicts: path, kind, hunks")
    output = models.TextField(blank=True, help_text="The last part of what git or the check said")
    tries = models.PositiveIntegerField(default=0, help_text="More than one when main moved meanwhile")
    check_number = models.PositiveIntegerField(default=0, help_text="Checks that were begun")
    checks_lost = models.PositiveIntegerField(default=0, help_text="In a row that ended without a word")
    brought_back = models.CharField(
        max_length=64, blank=True, help_text="What gave the branch back what an undo had reverted"
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
        return f"step {self.position} of train {self.train_id}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def opens(self) -> bool:
        """Whether its output is shown without a click."""
        return self.state in (self.State.CHECKING, self.State.CHECK_FAILED, self.State.REFUSED)


class Resolution(CompareAndSet):
    """A conflict that was handed to the agent: main was merged into the branch, the markers left for it."""

    class State(models.TextChoices):
        ASKED = "asked", "The agent is at it"
        DONE = "done", "Resolved"
        FAILED = "failed", "Not resolved"

    task = models.OneToOneField("tasks.Task", on_delete=models.CASCADE, related_name="resolution")
    run = models.ForeignKey("tasks.Run", on_delete=models.SET_NULL, null=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    main = models.CharField(max_length=64, help_text="What was merged into the branch")
    paths = models.JSONField(default=list, help_text="Keys of the files in conflict")
    strategy = models.CharField(max_length=6, default=Strategy.MERGE.value)
    checked = models.BooleanField(default=True, help_text="The train that it rejoins runs the check")
    state = models.CharField(max_length=6, choices=State.choices, default=State.ASKED)
    reason = models.TextField(blank=True)
    train = models.ForeignKey(MergeTrain, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"resolution of task {self.task_id}: {self.state}"


class Radar(Leased):
    """Which branches of a workspace touch the same places, for exactly these tips."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="radar")
    main = models.CharField(max_length=64, blank=True)
    tips = models.JSONField(default=dict, help_text="Task → commit that was looked at")
    pairs = models.JSONField(default=list, help_text="{left, right, left_tip, right_tip, files, conflicts}")
    with_main = models.JSONField(default=dict, help_text="Task → {tip, main, conflicts}")
    wanted_at = models.DateTimeField(null=True, blank=True, help_text="Somebody asked to look again")
    looked_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0)
    reason = models.TextField(blank=True, help_text="Why it could not look")

    def __str__(self) -> str:
        return f"radar of workspace {self.workspace_id}"


def undone_step(task: Task) -> MergeStep | None:
    """The task's last merge, if it was a merge commit that an undo has reverted."""
    merged = MergeStep.objects.filter(task=task, state=MergeStep.State.MERGED, train__strategy="merge")
    step = merged.select_related("train").order_by("-train").first()
    if step is None or step.brought_back or step.train.state != MergeTrain.State.UNDONE:
        return None
    return step if step.train.undo_commit else None
