"""What people said to agents, and what calls for a person."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet

SETTINGS = (("model", "model"), ("reasoning_effort", "effort"), ("permission_mode", "permissions"))


class Outgoing(CompareAndSet):
    """One thing that a person said to a run. The row is the truth; telling the host may be repeated."""

    class Kind(models.TextChoices):
        MESSAGE = "message", "Message"
        ANSWER = "answer", "Answer"
        SETTING = "setting", "Setting"

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for the host"
        SENT = "sent", "Waits for the agent"
        TAKEN = "taken", "Taken"
        WITHDRAWN = "withdrawn", "Withdrawn"
        FAILED = "failed", "Not taken"

    OPEN = (State.WAITING, State.SENT)

    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="outgoing")
    key = models.UUIDField(default=uuid.uuid4, unique=True, help_text="The host takes each only once")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    request = models.CharField(max_length=100, blank=True, help_text="Which request an answer is for")
    payload = models.JSONField(help_text="The command in the runner's words")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    reason = models.TextField(blank=True, help_text="Why it was not taken")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    tried_at = models.DateTimeField(null=True, blank=True, help_text="The host may know it since then")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="Not sent for again before")

    class Meta:
        verbose_name = "word to an agent"
        verbose_name_plural = "words to agents"
        ordering = ["pk"]
        indexes = [models.Index(fields=["run", "state"]), models.Index(fields=["state"])]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "request"],
                condition=models.Q(kind="answer", state__in=("waiting", "sent", "taken")),
                name="first_answer_counts",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} to run {self.run_id}: {self.state}"

    @property
    def text(self) -> str:
        """What was said; of a setting, what shall hold."""
        if self.kind == self.Kind.SETTING:
            return ", ".join(
                f"{word} {self.payload[name]}" for name, word in SETTINGS if name in self.payload
            )
        return str(self.payload.get("text") or "")


class Attention(models.Model):
    """Something that a person may want to hear of at once; each is told only once."""

    class Kind(models.TextChoices):
        NEEDS_YOU = "needs_you", "An agent needs you"
        FINISHED = "finished", "A run has finished"
        FAILED = "failed", "A run has failed"
        LIMIT = "limit", "A limit is reached"

    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="attention")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    subject = models.CharField(max_length=100, blank=True, help_text="The request, when an agent asks")
    text = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)
    pushed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "call for attention"
        verbose_name_plural = "calls for attention"
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "subject"], name="attention_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: run {self.run_id}"


class PushSubscription(models.Model):
    """A browser that wants to hear of things also when no page is open."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    endpoint = models.URLField(max_length=1000, unique=True)
    p256dh = models.CharField(max_length=200)
    auth = models.CharField(max_length=100)
    kinds = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    trouble = models.CharField(max_length=300, blank=True, help_text="What its push service said last")

    def __str__(self) -> str:
        return f"a browser of {self.user_id}"


class PushKey(models.Model):
    """The installation's VAPID key, made at first use: by it push services know who sends."""

    private = models.TextField(help_text="PEM")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"key {self.pk}"


class ByHand(models.Model):
    """The CLI's own interface is open on a task's session, in a window of its tmux session."""

    task = models.OneToOneField("tasks.Task", on_delete=models.CASCADE, related_name="by_hand")
    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="+")
    window = models.CharField(max_length=100)
    tmux_session = models.CharField(max_length=100, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        verbose_name = "session by hand"
        verbose_name_plural = "sessions by hand"

    def __str__(self) -> str:
        return f"task {self.task_id} by hand"


class StartReport(models.Model):
    """The app was started while runs were going: which, as the rows said then."""

    at = models.DateTimeField(default=timezone.now)
    runs = models.JSONField(help_text="Ids of the runs that were live")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"start at {self.at:%Y-%m-%d %H:%M}"
