"""Choices that models of several apps share."""

from __future__ import annotations

from django.db import models


class PermissionMode(models.TextChoices):
    """How much an agent may do without asking, from the least to the most (`permission_modes` compares)."""

    PLAN = "plan", "Plan first"
    ASK = "ask", "Ask before changes"
    EDITS = "edits", "Edit files, ask for commands"
    FULL = "full", "Everything without asking"

    @property
    def explanation(self) -> str:
        """What it means, in a few words that follow its label."""
        return EXPLANATIONS[self.value]


EXPLANATIONS = {
    "plan": "reads only, until you approve its plan",
    "ask": "you allow each change and command",
    "edits": "changes files in its worktree freely",
    "full": "never stops to ask",
}
