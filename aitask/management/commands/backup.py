"""Write a backup of the installation to a file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aitask.backup import services
from aitask.lib.errors import Refused


class Command(BaseCommand):
    help = "Write database, keys and the other files of DATA_DIR to a new file, while the app runs or not."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the new file, for example backup.tar.gz")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        path = file.expanduser().resolve()
        try:
            manifest = services.make(path)
        except Refused as error:
            raise CommandError(str(error)) from error
        rows = ", ".join(f"{name}: {count}" for name, count in manifest.counts.items())
        self.stdout.write(f"{path} is written and checked ({path.stat().st_size} bytes; rows of {rows}).")
