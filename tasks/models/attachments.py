"""Files that users give to agents."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Attachment(models.Model):
    """A file of a task, or an upload that is not used yet. Its content is kept by its digest."""

    class Kind(models.TextChoices):
        PICTURE = "picture", "Picture"
        PDF = "pdf", "PDF"
        TEXT = "text", "Text"
        FILE = "file", "File"

    CONTENTS: ClassVar = ("sha256", "view_sha256", "thumbnail_sha256")
    """The fields with the digests of what is kept of it."""

    task = models.ForeignKey(
        "tasks.Task", on_delete=models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    in_prompt = models.BooleanField(default=False, help_text="Whether it belongs to the task's own prompt")
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    kind = models.CharField(max_length=7, choices=Kind.choices)
    size = models.BigIntegerField(help_text="Bytes")
    sha256 = models.CharField(max_length=64, db_index=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    view_sha256 = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="Of our own copy of a picture"
    )
    view_type = models.CharField(max_length=20, blank=True)
    view_size = models.BigIntegerField(default=0, help_text="Bytes")
    thumbnail_sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    thumbnail_type = models.CharField(max_length=20, blank=True)
    fits_agents = models.BooleanField(
        default=True, help_text="Whether agents get the file itself; if not, our own copy"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["created_at"], condition=models.Q(task=None), name="unused_uploads")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_picture(self) -> bool:
        return self.kind == self.Kind.PICTURE


class ContentChunk(models.Model):
    """A part of the content of files, where a database keeps it for several machines."""

    sha256 = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256", "number"], name="content_chunk_once")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} {self.number}"


class LeftFolder(models.Model):
    """Folders of a removed task that its host still has, until they are removed there, too."""

    host = models.ForeignKey("workspaces.Host", on_delete=models.CASCADE, related_name="+")
    names = models.JSONField(help_text="Paths relative to the state folder on the host")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="No further attempt before then")
    reason = models.CharField(max_length=500, blank=True, help_text="Why it could not be removed yet")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{len(self.names)} folders on host {self.host_id}"
