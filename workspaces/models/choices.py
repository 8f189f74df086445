"""Choices that models of several apps share."""

from __future__ import annotations

from django.db import models


class PermissionMode(models.TextChoices):
    """How much an agent may do without asking, from the least to the most (`access.check_mode` compares)."""

    ASK = "ask", "Ask before changes"
    EDITS = "edits", "Edit files, ask for commands"
    FULL = "full", "Everything without asking"
