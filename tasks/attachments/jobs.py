"""The job of the workers that keeps attached files tidy."""

from __future__ import annotations

from tasks.attachments import services, store


def tidy() -> None:
    """Remove what nobody uses. Runs every hour, by the schedule."""
    services.remove_unused()
    store.sweep()
