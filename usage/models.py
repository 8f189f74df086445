"""Usage of runs, plan limits and budgets."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F
from django.utils import timezone

from tasks.models import Run, Task
from workspaces import clis
from workspaces.models import Host, Workspace

MICRO = 1_000_000
"Costs are stored as integers, in millionths of a dollar, so that sums are exact in every database."

TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
SIZE = F("input_tokens") + F("output_tokens") + F("cache_read_tokens") + F("cache_write_tokens")
"All tokens. Reasoning tokens are included in the output tokens."


class Series(models.Model):
    """The dimensions that usage is grouped by.

    One foreign key instead of four columns makes sums several times faster.
    """

    class Costing(models.TextChoices):
        REPORTED = "reported", "Reported by the CLI"
        ESTIMATED = "estimated", "Estimated from prices"
        UNKNOWN = "unknown", "Not known"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    backend = models.CharField(max_length=20, choices=clis.choices)
    model = models.CharField(max_length=150, blank=True, help_text="Empty if the CLI did not report it")
    costing = models.CharField(max_length=9, choices=Costing.choices)

    class Meta:
        verbose_name = "price series"
        verbose_name_plural = "price series"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "backend", "model", "costing"], name="one_series")
        ]

    def __str__(self) -> str:
        return f"{self.model or 'unknown model'} in workspace {self.workspace_id}"


class UsageByModel(models.Model):
    """A run's usage of one model. It is kept when the task is deleted."""

    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="usage_rows")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="rows", db_index=False)
    session = models.CharField(
        max_length=100, blank=True, help_text="The CLI session; kept when the run is deleted"
    )
    minute = models.PositiveIntegerField(help_text="When the run started, in minutes of Unix time")
    runs = models.PositiveSmallIntegerField(
        default=0, help_text="1 in the first row of a run, 0 in the others"
    )
    seconds = models.PositiveIntegerField(default=0, help_text="Duration of the run, in its first row")
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_micro = models.BigIntegerField(null=True, help_text="Millionths of a dollar; empty if unknown")

    class Meta:
        verbose_name = "usage by model"
        verbose_name_plural = "usage by model"
        constraints = [models.UniqueConstraint(fields=["run", "series"], name="one_row_per_run_and_series")]
        indexes = [
            models.Index(
                fields=["series", "minute", "runs", "seconds", *TOKENS, "cost_micro", "task"],
                name="usage_by_series",
            ),
            models.Index(
                fields=["task", "minute", "runs", "seconds", *TOKENS, "cost_micro", "series"],
                name="usage_by_task",
            ),
            models.Index(fields=["runs", "run"], name="usage_first_rows", condition=models.Q(runs=1)),
        ]

    def __str__(self) -> str:
        return f"usage of run {self.run_id}"


class PlanSource(models.Model):
    """A login of a CLI on a host, and the result of the last request for its plan limits."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="plans")
    backend = models.CharField(max_length=20, choices=clis.choices)
    environment = models.CharField(
        max_length=32, blank=True, help_text="Digest of the workspace's variables; empty without any"
    )
    account = models.CharField(max_length=100, blank=True, help_text="Kind of account, as the CLI reports it")
    present = models.BooleanField(default=True, help_text="Whether the CLI is installed on the host")
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why the last request failed")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "backend", "environment"], name="one_source_per_login")
        ]

    def __str__(self) -> str:
        return f"{self.backend} on {self.host_id}"


class LimitReading(models.Model):
    """How much of a plan's window was used at one time."""

    class Origin(models.TextChoices):
        ASKED = "asked", "requested from the CLI"
        RUN = "run", "reported during a run"
        SCREEN = "screen", "read from the CLI's screen"

    source = models.ForeignKey(PlanSource, on_delete=models.CASCADE, related_name="readings")
    window = models.CharField(max_length=60)
    used_percent = models.FloatField(null=True)
    resets_at = models.DateTimeField(null=True)
    at = models.DateTimeField(default=timezone.now)
    origin = models.CharField(max_length=6, choices=Origin.choices)

    class Meta:
        ordering = ["source", "window", "at"]
        indexes = [models.Index(fields=["source", "window", "at"], name="readings_in_order")]

    def __str__(self) -> str:
        return f"{self.window}: {self.used_percent} %"


class Budget(models.Model):
    """Limits of a workspace for tokens and dollars, and for the use of a plan. They hold queued runs."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="budget")
    hold_above_percent = models.PositiveSmallIntegerField(
        "stop starting runs above", null=True, blank=True, help_text="Percent of any limit of the CLI's plan"
    )
    day_tokens = models.PositiveBigIntegerField("tokens per day", null=True, blank=True)
    month_tokens = models.PositiveBigIntegerField("tokens per month", null=True, blank=True)
    day_usd = models.DecimalField("dollars per day", max_digits=12, decimal_places=2, null=True, blank=True)
    month_usd = models.DecimalField(
        "dollars per month", max_digits=12, decimal_places=2, null=True, blank=True
    )
    zone = models.CharField(max_length=64, default="UTC", help_text="Time zone in which days and months end")
    lifted_until = models.DateTimeField(
        null=True, blank=True, help_text="Budgets don't hold runs until this time"
    )

    def __str__(self) -> str:
        return f"budget of workspace {self.workspace_id}"


class Postponed(models.Model):
    """A delayed start: a queued run that waits until the plan limit that ended the previous run resets."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="postponed")
    not_before = models.DateTimeField()

    class Meta:
        verbose_name = "delayed start"
        verbose_name_plural = "delayed starts"

    def __str__(self) -> str:
        return f"run {self.run_id} not before {self.not_before:%Y-%m-%d %H:%M}"


class Audit(models.Model):
    """The result of a workspace's last comparison with the CLIs' transcripts."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="audit")
    at = models.DateTimeField(default=timezone.now)
    sessions = models.PositiveIntegerField(default=0, help_text="Compared sessions")
    differences = models.JSONField(default=list)
    outside_tokens = models.BigIntegerField(
        default=0, help_text="Tokens of sessions that this app did not start"
    )
    outside_sessions = models.PositiveIntegerField(default=0)
    side_tokens = models.BigIntegerField(
        default=0, help_text="Tokens of titles, summaries and similar requests"
    )
    untold = models.PositiveIntegerField(
        default=0, help_text="Interrupted answers. No CLI reports all of their tokens"
    )
    begun_tokens = models.BigIntegerField(
        default=0,
        help_text="Tokens that interrupted answers reported at their start, in the transcripts only",
    )
    error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"audit of workspace {self.workspace_id}"


def dollars(micro: int | None) -> Decimal | None:
    """Convert millionths of a dollar to dollars."""
    return None if micro is None else Decimal(micro) / MICRO
