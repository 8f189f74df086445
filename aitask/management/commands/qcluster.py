"""`manage.py qcluster`: the worker. Replaces django-q's command of this name."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from aitask import worker


class Command(BaseCommand):
    help = "Run the worker, which runs the jobs of the queue."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        worker.run()
