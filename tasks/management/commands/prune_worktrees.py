"""List the worktrees of a workspace, and remove those that are finished."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from aitask.lib.errors import Refused
from tasks.worktrees import services as worktrees
from workspaces.models import Workspace

UNCOMMITTED = {0: "clean", None: "can't be read"}


class Command(BaseCommand):
    help = (
        "List the worktrees of a workspace. With --yes, remove those whose task is done and merged and that "
        "hold nothing uncommitted (rescue ref first), and forget those whose folder is gone. Never by age."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--yes", action="store_true", help="remove; without it nothing is changed")
        parser.add_argument("--dry-run", action="store_true", help="only list (the default)")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(name=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace named {options['workspace']}.")
        if options["yes"] and options["dry_run"]:
            raise CommandError("--yes and --dry-run contradict each other.")
        try:
            found = worktrees.survey(workspace)
            self._list(found)
            if options["yes"]:
                self._remove(workspace, found)
        except Refused as error:
            raise CommandError(str(error)) from error

    def _list(self, found: list[worktrees.WorktreeState]) -> None:
        for standing in found:
            size = filesizeformat(standing.size_kib * 1024) if standing.size_kib is not None else "?"
            whose = f"#{standing.task.pk} {standing.task.title}" if standing.task else whose_else(standing)
            self.stdout.write(f"{fate(standing):<12} {size:>10}  {standing.tree.path}")
            self.stdout.write(f"{'':24} {whose} · {standing.branch or 'no branch'} · {condition(standing)}")

    def _remove(self, workspace: Workspace, found: list[worktrees.WorktreeState]) -> None:
        for standing in (s for s in found if s.is_finished):
            rescued = worktrees.remove_standing(workspace, standing)
            self.stdout.write(f"Removed {standing.tree.path}; rescued as {rescued.ref}")
        if any(standing.gone for standing in found):
            self.stdout.write(worktrees.prune(workspace))


def fate(standing: worktrees.WorktreeState) -> str:
    """What --yes would do with it."""
    if standing.gone:
        return "forget"
    return "remove" if standing.is_finished else "keep"


def whose_else(standing: worktrees.WorktreeState) -> str:
    if standing.is_merge_worktree:
        return "kept for merging"
    if standing.foreign:
        return "another workspace's task"
    return "the repository" if standing.tree.is_main else "made outside"


def condition(standing: worktrees.WorktreeState) -> str:
    """Dirty, ahead, behind, in words."""
    if standing.gone:
        return "its folder is gone"
    words = []
    if not standing.tree.bare:
        words.append(UNCOMMITTED.get(standing.uncommitted, f"{standing.uncommitted} uncommitted"))
    if standing.ahead is not None:
        words.append("merged" if standing.merged else f"{standing.ahead} ahead")
        words.append(f"{standing.behind} behind")
    return ", ".join(words)
