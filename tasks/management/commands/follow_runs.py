"""The follower: copies the events of all live runs into the database until it is stopped."""

from __future__ import annotations

import contextlib
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from aitask.lib import sleep
from tasks.runs import restart_report
from tasks.runs.follower.follower import Follower


class Command(BaseCommand):
    requires_system_checks = ()  # `up` has run them; a restart should not repeat them
    help = "Follow all live runs on their hosts and enqueue lost jobs again. Any number may run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-report", action="store_true", help="record no start report (`up` records one itself)"
        )

    def handle(self, *args: Any, no_report: bool, **options: Any) -> None:
        if not no_report:
            with contextlib.suppress(DatabaseError):  # run() waits for a database that can't be reached
                restart_report.note_follower()
        sleep.woke.join(restart_report.note_sleep)
        follower = Follower()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: follower.stop())
        follower.run()
