"""What the rows of several apps choose from."""

from __future__ import annotations

from django.db import models


class Backend(models.TextChoices):
    """The agent CLIs; a new one is a file in hostkit/agents and a line here."""

    CLAUDE_CODE = "claude_code", "Claude Code"
    CODEX = "codex", "Codex"


class PermissionMode(models.TextChoices):
    """How much an agent may do without asking."""

    ASK = "ask", "Ask before changes"
    EDITS = "edits", "Edit files, ask for commands"
    FULL = "full", "Everything without asking"
