"""Run the health check of a workspace."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workspaces import clis, doctor
from workspaces.hosts import HostError
from workspaces.management.names import workspace_named
from workspaces.models import Workspace
from workspaces.trials import services as trials

MARKS = {True: "ok", None: "note", False: "WRONG"}


class Command(BaseCommand):
    help = "Check a workspace's host, repository and CLIs. The exit status is 0 if nothing is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--try-clis",
            action="store_true",
            help="let each installed CLI answer one tiny request first, which its login's account pays for",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = workspace_named(options["name"])
        if workspace is None:
            names = ", ".join(Workspace.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no workspace {options['name']!r}. Workspaces: {names}.")
        if options["try_clis"]:
            self.try_clis(workspace)
        findings = doctor.check(workspace)
        for finding in findings:
            self.stdout.write(f"{MARKS[finding.ok]:5}  {finding.name}: {finding.detail}")
            if finding.hint:
                self.stdout.write(f"       → {finding.hint}")
        if any(finding.ok is False for finding in findings):
            sys.exit(1)

    def try_clis(self, workspace: Workspace) -> None:
        """Try a turn of each installed CLI. The findings show what came of it."""
        for cli in clis.every():
            try:
                row = trials.look(workspace, cli.name)
            except HostError:
                return  # the first finding says so
            if row.fingerprint:
                self.stdout.write(f"Trying one turn of {row.name} on {row.host.label}…")
                trials.try_here(row)
