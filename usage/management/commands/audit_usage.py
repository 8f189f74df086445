"""Compare the recorded usage with the CLIs' transcripts on the hosts."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage import audit
from workspaces.hosts import HostError
from workspaces.management.names import workspace_named
from workspaces.models import Workspace


class Command(BaseCommand):
    help = (
        "Compares the recorded usage with the CLIs' transcripts. "
        "Exit status 1 on a difference, 2 if a host can't be reached."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--workspace", metavar="NAME", help="Compare only this workspace. Default: all workspaces"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspaces = list(Workspace.objects.all())
        if options["workspace"]:
            named = workspace_named(options["workspace"])
            if named is None:
                raise CommandError(f"There is no workspace {options['workspace']!r}.")
            workspaces = [named]
        status = max((self._audit(workspace) for workspace in workspaces), default=0)
        if status:
            sys.exit(status)

    def _audit(self, workspace: Workspace) -> int:
        try:
            _, finding = audit.audit(workspace)
        except HostError as error:
            self.stderr.write(f"{workspace.name}: {error}")
            return 2
        different = len(finding.differences)
        self.stdout.write(
            f"{workspace.name}: {finding.sessions} sessions compared, {different} with a difference"
        )
        for difference in finding.differences:
            self.stdout.write(f"  {difference.text}")
        if finding.side_tokens:
            self.stdout.write(
                f"  side requests (titles, summaries): {finding.side_tokens:,} tokens, in no transcript"
            )
        if finding.untold:
            begun = f", at least {finding.begun_tokens:,} tokens" if finding.begun_tokens else ""
            self.stdout.write(
                f"  interrupted answers: {finding.untold}; no CLI reports all of their tokens{begun}"
            )
        if finding.outside_sessions:
            self.stdout.write(
                f"  outside this app: {finding.outside_sessions} sessions, {finding.outside_tokens:,} tokens"
            )
        return 1 if different else 0
