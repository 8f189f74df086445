"""`manage.py autostart`: start the app with the user's login."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from aitask import autostart, environment
from aitask.lib.errors import Refused
from aitask.management.commands.up import port_number


class Command(BaseCommand):
    help = "Start the app with your login: by Task Scheduler on Windows, by a systemd user unit on Linux."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--install", action="store_true", help="start the app with each login")
        which.add_argument("--remove", action="store_true", help="stop doing so; a running app is left alone")
        parser.add_argument("--port", default=8000, type=port_number)

    def handle(self, *args: Any, install: bool, remove: bool, port: int, **_: Any) -> None:
        try:
            if install:
                log = settings.DATA_DIR / "up.log"
                options, given = ["--port", str(port), "--no-browser"], environment.given()
                said = autostart.install(settings.BASE_DIR, options, log=log, variables=given)
            elif remove:
                said = autostart.remove()
            else:
                starts = "starts" if autostart.is_installed() else "does not start"
                said = f"The app {starts} with your login. See --install and --remove."
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(said)
