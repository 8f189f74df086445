"""Registers usage with the hooks of runs, so that `tasks` does not import `usage`."""

from __future__ import annotations

from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"

    def ready(self) -> None:
        from tasks.runs import hooks
        from usage import admission, ledger, limits

        hooks.usage_changed.join(ledger.record)
        hooks.limit_reported.join(limits.note_report)
        hooks.hold_reason = admission.hold_reason
