"""`manage.py qcluster`: the worker. Replaces django-q's command of this name."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

from django.core.management.base import BaseCommand

from aitask.worker import Cluster


class Command(BaseCommand):
    help = "Run the worker, which runs the jobs of the queue."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(os, "fork"):
            # The queue's locks must be of the kind that can be passed to a spawned process.
            multiprocessing.set_start_method("spawn", force=True)
        Cluster().run()
