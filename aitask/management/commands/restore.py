"""Go back to a backup."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from aitask.backup import restore
from aitask.backup.archive import Manifest
from aitask.lib.errors import Refused


class Command(BaseCommand):
    help = "Replace the database and the files of DATA_DIR by those of a backup. Stop the app first."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that `backup` has made")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, file: Path, yes: bool, **options: Any) -> None:
        path = file.expanduser().resolve()
        try:
            manifest = restore.inspect(path)
            self.stdout.write(
                f"{path} is a backup of {manifest.created_at}, made by version {manifest.version}."
            )
            self._confirm(yes, manifest)
            done = restore.restore(path)
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "It is restored." + (f" The state of before is in {done.kept}." if done.kept else "")
        )
        self.stdout.write("The next start asks the hosts for runs that the restored database does not know.")

    def _confirm(self, yes: bool, manifest: Manifest) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("Nothing was restored: add --yes to do it without a question.")
        rows = ", ".join(f"{count} {name}s" for name, count in manifest.counts.items())
        self.stdout.write(f"It has {rows}. It replaces all that is in {settings.DATA_DIR}.")
        if input("Restore it? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was restored.")
