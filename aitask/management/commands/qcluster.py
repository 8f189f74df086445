"""`manage.py qcluster`: the worker; replaces django-q's command of that name."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

from django.core.management.base import BaseCommand

from aitask.worker import Cluster


class Command(BaseCommand):
    help = "Run the jobs of the queue until told to stop."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(os, "fork"):
            # The queue's locks must be of the kind that a started process can be handed.
            multiprocessing.set_start_method("spawn", force=True)
        Cluster().run()
