"""Check or update the vendored browser libraries."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aitask.lib import vendoring


class Command(BaseCommand):
    help = "Check the vendored browser libraries (offline), or update one from the npm registry."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group(required=True)
        action.add_argument("--check", action="store_true", help="compare the files with the manifest")
        action.add_argument("--update", metavar="NAME", help="fetch the library and record its checksums")
        parser.add_argument("--to", metavar="VERSION", help="with --update: the new version")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self._check()
        else:
            self._update(options["update"], options["to"])

    def _check(self) -> None:
        found = list(vendoring.problems())
        if found:
            raise CommandError("\n".join(found))
        self.stdout.write(f"{len(vendoring.libraries())} libraries match the manifest.")

    def _update(self, name: str, version: str | None) -> None:
        library = vendoring.libraries().get(name)
        if library is None:
            raise CommandError(f"There is no library {name}. Libraries: {', '.join(vendoring.libraries())}.")
        if version:
            library = replace(library, version=version, integrity="")
        try:
            vendoring.keep(library, *vendoring.fetch(library))
        except vendoring.VendorError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{library.package} {library.version} is in {library.folder}.")
