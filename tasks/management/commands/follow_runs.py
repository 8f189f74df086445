"""The follower: copies the events of all live runs into the database until it is told to stop."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from tasks.follower.follower import Follower


class Command(BaseCommand):
    requires_system_checks = ()  # `up` has made them, and each restart would make them again
    help = "Follow all live runs on their hosts and repair what was left undone; any number may run."

    def handle(self, *args: Any, **options: Any) -> None:
        follower = Follower()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: follower.stop())
        follower.run()
