"""What runs used, how full the plans are, and the limits that people set."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F
from django.utils import timezone

from tasks.models import Run, Task
from workspaces import clis
from workspaces.models import Host, Workspace

MICRO = 1_000_000
"Costs are whole millionths of a dollar, so that sums are exact in every database."

TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
SIZE = F("input_tokens") + F("output_tokens") + F("cache_read_tokens") + F("cache_write_tokens")
"Reasoning is a part of the output."


class Series(models.Model):
    """What rows are told apart by; a number instead of four columns makes adding up several times faster."""

    class Costing(models.TextChoices):
        REPORTED = "reported", "Reported by the CLI"
        ESTIMATED = "estimated", "Estimated from prices"
        UNKNOWN = "unknown", "Not known"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    backend = models.CharField(max_length=20, choices=clis.choices)
    model = models.CharField(max_length=150, blank=True, help_text="Empty: nobody named it")
    costing = models.CharField(max_length=9, choices=Costing.choices)

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "backend", "model", "costing"], name="one_series")
        ]

    def __str__(self) -> str:
        return f"{self.model or 'unnamed'} in {self.workspace_id}"


class UsageByModel(models.Model):
    """What one run used of one model. It stays when its task is deleted: what was used was used."""

    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="usage_rows")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="rows", db_index=False)
    session = models.CharField(
        max_length=100, blank=True, help_text="The CLI's, so that it is known when the run is deleted"
    )
    minute = models.PositiveIntegerField(help_text="Minutes of Unix time at which the run started")
    runs = models.PositiveSmallIntegerField(default=0, help_text="1 in the first row of a run, else 0")
    seconds = models.PositiveIntegerField(default=0, help_text="How long the run took, in its first row")
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_micro = models.BigIntegerField(null=True, help_text="Millionths of a dollar; null: not known")

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
        return f"row of run {self.run_id}"


class PlanSource(models.Model):
    """One login of a CLI on a host: whose plan limits are asked for, and how the last asking went."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="plans")
    backend = models.CharField(max_length=20, choices=clis.choices)
    environment = models.CharField(
        max_length=32, blank=True, help_text="Digest of the workspace's variables; empty without any"
    )
    account = models.CharField(max_length=100, blank=True, help_text="Kind of account, in the CLI's word")
    present = models.BooleanField(default=True, help_text="The CLI is installed there")
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why the last asking told nothing")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "backend", "environment"], name="one_source_per_login")
        ]

    def __str__(self) -> str:
        return f"{self.backend} on {self.host_id}"


class LimitReading(models.Model):
    """How full one window of a plan was at one time."""

    class Origin(models.TextChoices):
        ASKED = "asked", "asked for"
        RUN = "run", "told during a run"
        SCREEN = "screen", "read off its screen"

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
    """What a workspace may use, and how full a plan may be before it starts nothing more."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="budget")
    hold_above_percent = models.PositiveSmallIntegerField(
        "start nothing above", null=True, blank=True, help_text="Percent of any window of the CLI's plan"
    )
    day_tokens = models.PositiveBigIntegerField("tokens a day", null=True, blank=True)
    month_tokens = models.PositiveBigIntegerField("tokens a month", null=True, blank=True)
    day_usd = models.DecimalField("dollars a day", max_digits=12, decimal_places=2, null=True, blank=True)
    month_usd = models.DecimalField("dollars a month", max_digits=12, decimal_places=2, null=True, blank=True)
    zone = models.CharField(max_length=64, default="UTC", help_text="Whose midnight ends a day")
    lifted_until = models.DateTimeField(null=True, blank=True, help_text="Budgets hold nothing until then")

    def __str__(self) -> str:
        return f"budget of {self.workspace_id}"


class Postponed(models.Model):
    """A queued run that may not start before a time: when the limit is reset that ended the run before it."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="postponed")
    not_before = models.DateTimeField()

    class Meta:
        verbose_name = "postponed run"
        verbose_name_plural = "postponed runs"

    def __str__(self) -> str:
        return f"run {self.run_id} not before {self.not_before:%Y-%m-%d %H:%M}"


class Audit(models.Model):
    """What the last comparison with the CLIs' transcripts said, per workspace."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="audit")
    at = models.DateTimeField(default=timezone.now)
    sessions = models.PositiveIntegerField(default=0, help_text="Sessions of ours that were compared")
    differences = models.JSONField(default=list)
    outside_tokens = models.BigIntegerField(default=0, help_text="Of sessions that this app did not start")
    outside_sessions = models.PositiveIntegerField(default=0)
    side_tokens = models.BigIntegerField(default=0, help_text="Of titles, summaries and the like")
    untold = models.PositiveIntegerField(
        default=0, help_text="Answers that were broken off: no CLI says all that they used"
    )
    begun_tokens = models.BigIntegerField(
        default=0, help_text="What these said as they began, in the transcripts only"
    )
    error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"audit of {self.workspace_id}"


def dollars(micro: int | None) -> Decimal | None:
    """A cost as people write it."""
    return None if micro is None else Decimal(micro) / MICRO
