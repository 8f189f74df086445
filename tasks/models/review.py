"""What people say about finished work."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Verdict(models.Model):
    """How a task's work was judged last; none while nobody has."""

    class Kind(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        MERGED = "merged", "Merged"
        DROPPED = "dropped", "Dropped"

    SETTLED = (Kind.MERGED, Kind.DROPPED)
    """Nothing is left to be merged."""

    task = models.OneToOneField("tasks.Task", on_delete=models.CASCADE, related_name="verdict")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    commit = models.CharField(max_length=64, blank=True, help_text="The branch as it was judged")
    uncommitted = models.PositiveIntegerField(default=0, help_text="Files that were not committed then")
    rescue_ref = models.CharField(max_length=300, blank=True)
    patch_path = models.CharField(max_length=1500, blank=True)

    def __str__(self) -> str:
        return f"{self.kind}: task {self.task_id}"


class Comment(models.Model):
    """What a person says about some lines of a task's work; drafts are sent together as one follow-up."""

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
    commit = models.CharField(max_length=64, help_text="The version that the line numbers are of")
    quote = models.TextField(blank=True, help_text="The lines as they were")
    text = models.TextField()
    sent_in = models.ForeignKey(
        "tasks.Run", on_delete=models.SET_NULL, null=True, blank=True, related_name="comments"
    )
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["path_key", "line", "pk"]

    def __str__(self) -> str:
        return f"comment {self.pk} on task {self.task_id}"


class ViewedFile(models.Model):
    """A person has seen a file's changes in this version; a new version is not viewed."""

    task = models.ForeignKey("tasks.Task", on_delete=models.CASCADE, related_name="viewed_files")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    path_key = models.CharField(max_length=6000)
    version = models.CharField(max_length=140, help_text="The objects of both sides")

    class Meta:
        indexes = [models.Index(fields=["task", "user"])]

    def __str__(self) -> str:
        return f"viewed by {self.user_id} in task {self.task_id}"
