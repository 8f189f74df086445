"""Runs: attempts at tasks by agents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet
from aitask.lib.leases import Leased
from tasks.models.marks import Marked, once
from tasks.models.task import ONLY_READS, Task
from workspaces import clis
from workspaces.models import PermissionMode

SESSION_GONE = "session"
"Reason code of a run whose CLI no longer has the session, such as after its transcript was deleted."
SESSION_FAILURES = ("rejected", "cli_died", "other", SESSION_GONE)
"Reason codes that may come from the session, unlike a refused login or a limit."


class Run(CompareAndSet, Leased, Marked):
    """One attempt at a task by one agent. Prompt, model and effort are fixed when it is queued."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        STARTING = "starting", "Starting"
        RUNNING = "running", "Running"
        WAITING = "waiting", "Needs you"
        SUCCEEDED = "succeeded", "Finished"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Lost"

    ACTIVE = (State.STARTING, State.RUNNING, State.WAITING)
    LIVE = (State.QUEUED, *ACTIVE)
    ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST)

    class CostSource(models.TextChoices):
        REPORTED = "reported", "Reported by the CLI"
        ESTIMATED = "estimated", "Estimated from prices"

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=4, choices=Task.Kind.choices, default=Task.Kind.WORK)
    number = models.PositiveIntegerField(help_text="First, second, … run of its task")
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    reason_code = models.CharField(max_length=20, blank=True, help_text="Why it ended, as a code")
    reason = models.TextField(blank=True, help_text="Why it ended or waits, as a sentence")

    backend = models.CharField(max_length=20, choices=clis.choices)
    model = models.CharField(max_length=100, blank=True)
    reasoning_effort = models.CharField(max_length=20, blank=True)
    permission_mode = models.CharField(max_length=5, choices=PermissionMode.choices)
    task_mode = models.CharField(
        max_length=5, blank=True, help_text="The permission mode that its task had when it was queued"
    )
    agent_settings = models.CharField(
        max_length=64, blank=True, help_text="Digest of settings in its worktree that nobody has allowed yet"
    )
    starts_anyway = models.BooleanField(
        default=False, help_text="Whether it starts although its task's predecessors are not done"
    )
    prompt = models.TextField()
    attachments = models.JSONField(
        default=list, blank=True, help_text="Ids of the files that belong to its prompt"
    )
    resumes = models.CharField(max_length=100, blank=True, help_text="The CLI session that it continues")
    fork_at = models.CharField(
        max_length=100, blank=True, help_text="Where it forks that session; empty if it resumes it"
    )
    fork_before = models.BooleanField(default=False, help_text="Whether it forks before that place")

    run_dir = models.CharField(max_length=1000, blank=True, help_text="Its folder on the host")
    tmux_session = models.CharField(max_length=100, blank=True)
    tmux_window = models.CharField(
        max_length=100, blank=True, help_text="Empty while it has none: the tmux server has ended"
    )
    tmux_socket = models.CharField(
        max_length=300, blank=True, help_text="Of our tmux server on the host; empty for the user's own"
    )
    cli_session = models.CharField(max_length=100, blank=True)
    cli_version = models.CharField(max_length=50, blank=True)

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True, help_text="When its host was last reached")
    last_event_at = models.DateTimeField(null=True, blank=True, help_text="When its newest event arrived")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often a worker tried to start it")

    event_offset = models.BigIntegerField(default=0, help_text="Bytes of events.jsonl read so far")
    last_seq = models.PositiveIntegerField(default=0)
    unread_lines = models.PositiveIntegerField(
        default=0, help_text="Lines of events.jsonl that are no events; saved as raw"
    )
    final_seq = models.PositiveIntegerField(
        default=0, help_text="Number of its last event, after it has ended"
    )
    activity = models.CharField(max_length=200, blank=True, help_text="What it did last, in a few words")
    open_requests = models.JSONField(default=list, blank=True)
    progress = models.JSONField(
        default=list, blank=True, help_text="The agent's own list of steps: [{text, state}]"
    )
    proposals = models.JSONField(
        default=list,
        blank=True,
        help_text="Tasks that a plan run proposes: [{title, prompt, after, touches, check, size}]",
    )
    proposal_notes = models.JSONField(
        default=list, blank=True, help_text="What was wrong in the proposal and has been put right"
    )
    background = models.JSONField(
        default=list, blank=True, help_text="Commands and sub-agents that work beside the agent now"
    )
    session_title = models.CharField(
        max_length=200, blank=True, help_text="What the CLI calls its conversation"
    )
    raw_lines = models.JSONField(
        default=dict, blank=True, help_text="Lines of the CLI that the app does not know, by type"
    )
    compacting = models.BooleanField(default=False, help_text="Whether its conversation is being compacted")
    limit_resets_at = models.DateTimeField(null=True, blank=True)

    input_tokens = models.BigIntegerField(default=0, help_text="Without cache reads and writes")
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0, help_text="Included in the output tokens")
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cost_source = models.CharField(max_length=9, choices=CostSource.choices, null=True, blank=True)  # noqa: DJ001
    usage_by_model = models.JSONField(default=dict, blank=True)
    thread_total = models.JSONField(null=True, blank=True, help_text="The last token total of a Codex thread")
    context_used = models.PositiveIntegerField(null=True, blank=True)
    context_window = models.PositiveIntegerField(null=True, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    outcome = models.JSONField(null=True, blank=True, help_text="How it ended, as reported by the host")

    class Meta:
        ordering = ["task", "number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="run_number_once_per_task"),
            once("run_mark_once"),
            models.UniqueConstraint(
                fields=["task"],
                condition=models.Q(state__in=("queued", "starting", "running", "waiting")),
                name="one_live_run_per_task",
            ),
        ]
        indexes = [
            models.Index(fields=["state"]),
            models.Index(fields=["queued_at"]),
            models.Index(fields=["finished_at"]),
        ]

    def __str__(self) -> str:
        return f"run {self.number} of task {self.task_id}"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def is_cut_short(self) -> bool:
        """Whether it failed, was lost or was cancelled."""
        return self.state in (self.State.FAILED, self.State.LOST, self.State.CANCELLED)

    @property
    def was_cut_off(self) -> bool:
        """Whether it was interrupted and has a CLI session that can be resumed."""
        return self.is_cut_short and bool(self.cli_session)

    @property
    def is_failed_resume(self) -> bool:
        """Whether it failed to continue a session: its agent said nothing, for a reason of the session."""
        said_nothing = bool(self.resumes) and not self.output_tokens
        return self.state == self.State.FAILED and said_nothing and self.reason_code in SESSION_FAILURES

    @property
    def is_plan(self) -> bool:
        return self.kind == Task.Kind.PLAN

    @property
    def permission_words(self) -> str:
        """What its agent may do, in a few words. A plan run only reads, whatever its mode is."""
        return ONLY_READS if self.is_plan else str(self.get_permission_mode_display())

    @property
    def steps_done(self) -> int:
        """How many steps of the agent's own list are done."""
        return sum(item.get("state") == "done" for item in self.progress)

    @property
    def step_now(self) -> str:
        """The step that the agent works on, else the next one; empty if all are done."""
        by_state = {state: item["text"] for item in reversed(self.progress) for state in [item.get("state")]}
        return by_state.get("active") or by_state.get("pending") or ""

    @property
    def in_background(self) -> list[dict[str, Any]]:
        """What works beside the agent, without what it waits for."""
        return [work for work in self.background if not work.get("waited")]

    @property
    def context_left(self) -> int | None:
        """Tokens of context that are left; None if that is not known."""
        if not self.context_used or not self.context_window:
            return None
        return max(0, self.context_window - self.context_used)

    @property
    def limit_holds(self) -> bool:
        """Whether it was ended by a plan limit that is not reset yet."""
        return (
            self.reason_code == "limit"
            and self.limit_resets_at is not None
            and self.limit_resets_at > timezone.now()
        )

    @property
    def quiet_since(self) -> datetime | None:
        """When a busy run had its last event; None if it waits, is ending, or has no event yet."""
        busy = self.state in (self.State.STARTING, self.State.RUNNING) and not self.cancel_requested_at
        return self.last_event_at if busy else None
