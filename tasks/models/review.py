"""Verdicts, comments and viewed files of reviews."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Verdict(models.Model):
    """The current decision about a task's work; there is no row before the first one."""

    class Kind(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        MERGED = "merged", "Merged"
        DROPPED = "dropped", "Discarded"

    SETTLED = (Kind.MERGED, Kind.DROPPED)
    """Verdicts after which nothing is left to merge."""

    task = models.OneToOneField("tasks.Task", on_delete=models.CASCADE, related_name="verdict")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    commit = models.CharField(max_length=64, blank=True, help_text="The branch tip that the verdict is about")
    uncommitted = models.PositiveIntegerField(default=0, help_text="Number of uncommitted files at that time")
    rescue_ref = models.CharField(max_length=300, blank=True)
    patch_path = models.CharField(max_length=1500, blank=True)
    ignored_path = models.CharField(
        max_length=1500, blank=True, help_text="The archive of the files that git ignores"
    )
    not_kept = models.JSONField(
        default=list, blank=True, help_text="Ignored files that were too large for the archive"
    )

    class Meta:
        indexes = [models.Index(fields=["kind", "at"])]

    def __str__(self) -> str:
        return f"{self.kind}: task {self.task_id}"


class Comment(models.Model):
    """A comment on lines of a task's work. All drafts are sent together as one follow-up."""

    class Side(models.TextChoices):
        OLD = "old", "Before"
        NEW = "new", "After"

    task = models.ForeignKey("tasks.Task", on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    path_key = models.CharField(max_length=6000, help_text="The path's bytes in URL-safe base64")
    side = models.CharField(max_length=3, choices=Side.choices, default=Side.NEW)
    line = models.PositiveIntegerField()
    end_line = models.PositiveIntegerField()
    commit = models.CharField(max_length=64, help_text="The commit that the line numbers refer to")
    quote = models.TextField(blank=True, help_text="The text of the lines")
    text = models.TextField(blank=True)
    attachments = models.JSONField(default=list, blank=True, help_text="Ids of the files that belong to it")
    sent_in = models.ForeignKey(
        "tasks.Run", on_delete=models.SET_NULL, null=True, blank=True, related_name="comments"
    )
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["path_key", "line", "pk"]

    def __str__(self) -> str:
        return f"comment {self.pk} on task {self.task_id}"


class ViewedFile(models.Model):
    """Marks this version of a file as viewed by a user. A new version is not viewed."""

    task = models.ForeignKey("tasks.Task", on_delete=models.CASCADE, related_name="viewed_files")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    path_key = models.CharField(max_length=6000)
    version = models.CharField(max_length=140, help_text="The git objects of both sides")

    class Meta:
        indexes = [models.Index(fields=["task", "user"])]

    def __str__(self) -> str:
        return f"viewed by {self.user_id} in task {self.task_id}"
