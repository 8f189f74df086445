"""Compare the recorded usage with the CLIs' transcripts on the hosts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage import audit
from workspaces.hosts import HostError
from workspaces.management.names import workspace_named
from workspaces.models import Workspace


class Command(BaseCommand):
    help = (
        "Compares the recorded usage with the CLIs' transcripts, and with --mend corrects runs that were "
        "counted wrongly. "
        "Exit status 1 on a difference, 2 if a host can't be reached."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--workspace", metavar="NAME", help="Compare only this workspace. Default: all workspaces"
        )

        parser.add_argument(
            "--mend", action="store_true", help="Correct runs that were counted wrongly, and say what changes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspaces = list(Workspace.objects.all())
        if options["workspace"]:
            named = workspace_named(options["workspace"])
            if named is None:
                raise CommandError(f"There is no workspace {options['workspace']!r}.")
            workspaces = [named]
        status = max((self._audit(workspace, options["mend"]) for workspace in workspaces), default=0)
        if status:
            sys.exit(status)

    def _audit(self, workspace: Workspace, mends: bool) -> int:
        try:
            _, finding = audit.audit(workspace, mends=mends)
        except HostError as error:
            self.stderr.write(f"{workspace.name}: {error}")
            return 2
        different = len(finding.differences)
        self.stdout.write(
            f"{workspace.name}: {finding.sessions} sessions compared, {different} with a difference"
        )
        for line in (*self._changes(finding), *self._details(finding)):
            self.stdout.write(f"  {line}")
        return 1 if different else 0

    def _changes(self, finding: audit.AuditFinding) -> Iterator[str]:
        for mended in finding.mended:
            yield f"corrected: {mended.text}"
        for difference in finding.differences:
            yield difference.text
        for wrong in finding.corrections:
            yield f"counted wrongly: {wrong.text}; --mend corrects it"
        for unjudged in finding.unjudged:
            yield unjudged.text

    def _details(self, finding: audit.AuditFinding) -> Iterator[str]:
        if finding.side_tokens:
            yield f"side requests (titles, summaries): {finding.side_tokens:,} tokens, in no transcript"
        if finding.untold:
            begun = f", at least {finding.begun_tokens:,} tokens" if finding.begun_tokens else ""
            yield f"interrupted answers: {finding.untold}; no CLI reports all of their tokens{begun}"
        if finding.outside_sessions:
            yield f"outside this app: {finding.outside_sessions} sessions, {finding.outside_tokens:,} tokens"
