"""Messages to agents, notifications, and interactive sessions."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from aitask.lib.compare_and_set import CompareAndSet

SETTINGS = (("model", "model"), ("reasoning_effort", "effort"), ("permission_mode", "permissions"))


class Outgoing(CompareAndSet):
    """A message, answer or setting from a user to a run. Delivering it to the host may be repeated."""

    class Kind(models.TextChoices):
        MESSAGE = "message", "Message"
        ANSWER = "answer", "Answer"
        SETTING = "setting", "Setting"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for the host"
        SENT = "sent", "Waiting for the agent"
        TAKEN = "taken", "Delivered"
        WITHDRAWN = "withdrawn", "Withdrawn"
        FAILED = "failed", "Not delivered"

    OPEN = (State.WAITING, State.SENT)

    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="outgoing")
    key = models.UUIDField(default=uuid.uuid4, unique=True, help_text="The host accepts each key only once")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    request = models.CharField(max_length=100, blank=True, help_text="The request that an answer is for")
    payload = models.JSONField(help_text="The command as the runner reads it")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    reason = models.TextField(blank=True, help_text="Why it was not delivered")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    tried_at = models.DateTimeField(
        null=True, blank=True, help_text="First attempt: the host may have it since then"
    )
    retry_at = models.DateTimeField(null=True, blank=True, help_text="No further attempt before then")

    class Meta:
        verbose_name = "message"
        verbose_name_plural = "messages"
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
    def attachments(self) -> list[int]:
        """Ids of the files of a message."""
        return list(self.payload.get("attachments") or [])

    @property
    def text(self) -> str:
        """The text of a message or an answer, or a setting as text."""
        if self.kind == self.Kind.SETTING:
            return ", ".join(
                f"{label} {self.payload[name]}" for name, label in SETTINGS if name in self.payload
            )
        return str(self.payload.get("text") or "")


class Attention(models.Model):
    """A notification for users; each is sent only once."""

    class Kind(models.TextChoices):
        NEEDS_YOU = "needs_you", "An agent needs you"
        FINISHED = "finished", "A run has finished"
        FAILED = "failed", "A run has failed"
        LIMIT = "limit", "A limit is reached"

    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="attention")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    subject = models.CharField(max_length=100, blank=True, help_text="The id of the request, if there is one")
    text = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)
    pushed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "notification"
        verbose_name_plural = "notifications"
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "subject"], name="attention_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: run {self.run_id}"


class PushSubscription(models.Model):
    """A browser that receives notifications even if no page is open."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    endpoint = models.URLField(max_length=1000, unique=True)
    p256dh = models.CharField(max_length=200)
    auth = models.CharField(max_length=100)
    kinds = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    trouble = models.CharField(max_length=300, blank=True, help_text="The last error of its push service")

    def __str__(self) -> str:
        return f"browser of user {self.user_id}"


class PushKey(models.Model):
    """The installation's VAPID key, which identifies it to push services. Created at first use."""

    private = models.TextField(help_text="PEM")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"key {self.pk}"


class ByHand(models.Model):
    """An interactive session: the CLI's own interface, open on a task's CLI session in a tmux window."""

    task = models.OneToOneField("tasks.Task", on_delete=models.CASCADE, related_name="by_hand")
    run = models.ForeignKey("tasks.Run", on_delete=models.CASCADE, related_name="+")
    window = models.CharField(max_length=100)
    tmux_session = models.CharField(max_length=100, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        verbose_name = "interactive session"
        verbose_name_plural = "interactive sessions"

    def __str__(self) -> str:
        return f"interactive session of task {self.task_id}"


class StartReport(models.Model):
    """Records which runs were live when the app was started, or when its machine fell asleep."""

    at = models.DateTimeField(default=timezone.now)
    asleep_since = models.DateTimeField(null=True, blank=True, help_text="Empty for a start")
    runs = models.JSONField(help_text="Ids of the runs that were live")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"start at {self.at:%Y-%m-%d %H:%M}"
