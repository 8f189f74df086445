"""List the worktrees of a workspace, and remove those that are finished."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from aitask.lib.errors import Refused
from tasks.worktrees import services as worktrees
from workspaces.git import GitError
from workspaces.management.names import workspace_named
from workspaces.models import Workspace

UNCOMMITTED = {0: "clean", None: "can't be read"}


class Command(BaseCommand):
    help = (
        "List the worktrees of a workspace. With --yes, remove those whose task is done and merged and that "
        "have no uncommitted changes: a rescue ref keeps their commits, and an archive the files that git "
        "ignores, except what tools create again, such as node_modules. Worktrees with ignored files that "
        "are too large for that stay. Forget those whose folder is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--yes", action="store_true", help="remove them; without it nothing is changed")
        parser.add_argument("--dry-run", action="store_true", help="only list (the default)")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = workspace_named(options["workspace"])
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
        for state in found:
            size = filesizeformat(state.size_kib * 1024) if state.size_kib is not None else "?"
            whose = f"#{state.task.pk} {state.task.title}" if state.task else owner_of(state)
            self.stdout.write(f"{fate(state):<12} {size:>10}  {state.tree.path}")
            self.stdout.write(f"{'':24} {whose} · {state.branch or 'no branch'} · {condition(state)}")

    def _remove(self, workspace: Workspace, found: list[worktrees.WorktreeState]) -> None:
        for state in (s for s in found if s.is_finished):
            try:
                rescued = worktrees.remove_listed(workspace, state, careful=True)
            except GitError as error:
                if error.code != "too_large":
                    raise
                self.stdout.write(f"Kept {state.tree.path}: {error}")
                continue
            ignored = f", its ignored files as {rescued.ignored.archive}" if rescued.ignored.archive else ""
            self.stdout.write(f"Removed {state.tree.path}; rescued as {rescued.ref}{ignored}")
        if any(state.gone for state in found):
            self.stdout.write(worktrees.prune(workspace))


def fate(state: worktrees.WorktreeState) -> str:
    """Return what --yes would do with the worktree."""
    if state.gone:
        return "forget"
    return "remove" if state.is_finished else "keep"


def owner_of(state: worktrees.WorktreeState) -> str:
    if state.is_merge_worktree:
        return "merge worktree"
    if state.foreign:
        return "another workspace's task"
    return "the repository" if state.tree.is_main else "not made by the app"


def condition(state: worktrees.WorktreeState) -> str:
    """Describe uncommitted changes and commits ahead and behind."""
    if state.gone:
        return "folder missing"
    parts = []
    if not state.tree.bare:
        parts.append(UNCOMMITTED.get(state.uncommitted, f"{state.uncommitted} uncommitted"))
    if state.ignored:
        parts.append("ignored: " + ", ".join(state.ignored[:5]) + (", …" if len(state.ignored) > 5 else ""))
    if state.ahead is not None:
        parts.append("merged" if state.merged else f"{state.ahead} ahead")
        parts.append(f"{state.behind} behind")
    return ", ".join(parts)
