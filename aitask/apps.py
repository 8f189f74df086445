"""The project as an app: registers the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class AitaskConfig(AppConfig):
    name = "aitask"

    def ready(self) -> None:
        from aitask import checks  # noqa: F401  (registers them)
