"""Ties usage to the life of runs: the apps below know only the places where others may join in."""

from __future__ import annotations

from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"

    def ready(self) -> None:
        from tasks import joints
        from usage import holds, ledger, limits

        joints.usage_changed = ledger.record
        joints.limit_reported = limits.note_report
        joints.hurdle = holds.hurdle
