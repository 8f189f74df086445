"""Templates for prompts."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from workspaces.models import Workspace


class PromptTemplate(models.Model):
    """A named text that users of a workspace insert into new tasks."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="prompt_templates")
    name = models.CharField(max_length=100)
    text = models.TextField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="prompt_template_once"),
        ]

    def __str__(self) -> str:
        return self.name
