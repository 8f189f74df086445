"""The follower: copies the events of all live runs into the database until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from tasks.runs import restart_report
from tasks.runs.follower.follower import Follower


class Command(BaseCommand):
    requires_system_checks = ()  # `up` has made them, and each restart would make them again
    help = "Follow all live runs on their hosts and repair what was left undone; any number may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-report", action="store_true", help="say nothing of the start (`up` has told of its own)"
        )

    def handle(self, *args: Any, no_report: bool, **options: Any) -> None:
        if not no_report:
            with contextlib.suppress(DatabaseError):  # one that is away is waited for below
                restart_report.note_follower()
        follower = Follower()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: follower.stop())
        follower.run()
