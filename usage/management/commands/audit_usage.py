"""Compare what we counted with what the CLIs have written down on their hosts."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage import audit
from workspaces.hosts import HostError
from workspaces.models import Workspace


class Command(BaseCommand):
    help = "Rows against the CLIs' transcripts; exit status 1 on a difference, 2 when a host can't be asked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="NAME", help="Only this one; default all")

    def handle(self, *args: Any, **options: Any) -> None:
        workspaces = Workspace.objects.all()
        if options["workspace"]:
            workspaces = workspaces.filter(name=options["workspace"])
            if not workspaces:
                raise CommandError(f"There is no workspace {options['workspace']!r}.")
        status = max((self._audit(workspace) for workspace in workspaces), default=0)
        if status:
            sys.exit(status)

    def _audit(self, workspace: Workspace) -> int:
        try:
            _, finding = audit.audit(workspace)
        except HostError as error:
            self.stderr.write(f"{workspace.name}: {error}")
            return 2
        wrong = len(finding.differences)
        self.stdout.write(
            f"{workspace.name}: {finding.sessions} sessions of ours compared, {wrong} with a difference"
        )
        for difference in finding.differences:
            self.stdout.write(f"  {difference.words}")
        if finding.side_tokens:
            self.stdout.write(
                f"  side requests (titles, summaries): {finding.side_tokens:,} tokens, in no transcript"
            )
        if finding.untold:
            begun = f", at least {finding.begun_tokens:,} tokens" if finding.begun_tokens else ""
            self.stdout.write(
                f"  answers broken off: {finding.untold}; no CLI says all that they used{begun}"
            )
        if finding.outside_sessions:
            self.stdout.write(
                f"  outside this app: {finding.outside_sessions} sessions, {finding.outside_tokens:,} tokens"
            )
        return 1 if wrong else 0
