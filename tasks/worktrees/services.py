"""The worktrees of a workspace's repository: their owners and states, removing and adopting them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from posixpath import join

from django.contrib.auth.models import AbstractBaseUser

from aitask.lib.errors import Refused
from tasks import services
from tasks.models import MergeTrain, Run, Task, Verdict
from tasks.repository import Site, site_of
from tasks.runs import hooks
from tasks.worktrees.removal import Rescued, remove_tree
from workspaces.git import Known, adopt_worktree, git
from workspaces.git.diffs import EMPTY_TREE, Range, changed_files
from workspaces.git.repos import status
from workspaces.git.rescue import keep
from workspaces.git.worktree_list import Tree, list_trees
from workspaces.hostkit.escapes import visible
from workspaces.hosts import HostError
from workspaces.models import Workspace

AT_ONCE = 4
SIZE_SECONDS = 20.0


@dataclass(frozen=True)
class WorktreeState:
    """A worktree with everything that a user needs to decide about it."""

    tree: Tree
    task: Task | None
    is_merge_worktree: bool
    uncommitted: int | None
    "None if it can't be read."
    ahead: int | None
    behind: int | None
    size_kib: int | None
    "None if counting took too long."
    last_used: datetime | None
    live: bool
    "Whether its task has a live run."
    ignored: tuple[str, ...]
    "Files that git ignores, and folders with a `/`, without what tools create again."
    foreign: bool
    "Whether it belongs to a task in another workspace of the same repository."

    @property
    def branch(self) -> str:
        return self.tree.branch.removeprefix("refs/heads/")

    @property
    def merged(self) -> bool:
        """Whether the base branch has its commits, or a train has squashed or rebased them onto it."""
        verdict = (
            Verdict.objects.filter(task=self.task, kind=Verdict.Kind.MERGED).first() if self.task else None
        )
        return self.ahead == 0 or (verdict is not None and verdict.commit == self.tree.head)

    @property
    def against_base(self) -> str:
        """How its branch compares with the base branch, as text; empty if unknown or not applicable."""
        if self.is_merge_worktree or self.tree.is_main:
            return ""
        if self.task and self.tree.head == self.task.base_commit:
            return "no commits"
        if self.merged:
            return "merged"
        return "" if self.ahead is None else f"{self.ahead} ahead"

    @property
    def size(self) -> int | None:
        """Bytes on disk."""
        return None if self.size_kib is None else self.size_kib * 1024

    @property
    def vals(self) -> str:
        """The values that its buttons send, as JSON."""
        return json.dumps({"path": self.tree.path})

    @property
    def gone(self) -> bool:
        return bool(self.tree.prunable)

    @property
    def obstacle(self) -> str:
        """Why it can't be removed; empty if it can."""
        if self.tree.is_main:
            return "main worktree"
        if self.live:
            return "its task has a live run"
        if self.foreign:
            return "used by a task of another workspace"
        if self.tree.locked is not None:
            return f"locked{': ' + self.tree.locked if self.tree.locked else ''}"
        return ""

    @property
    def is_finished(self) -> bool:
        """Whether it can be removed without a decision: its task is done and merged, and it is clean."""
        if self.is_merge_worktree or self.obstacle or self.uncommitted != 0 or self.gone:
            return False
        return self.task is not None and self.task.status == Task.Status.DONE and self.merged


def survey(workspace: Workspace, *, sizes: bool = True) -> list[WorktreeState]:
    """Return all worktrees: the main one, those of tasks, others. Raises HostError and GitError."""
    site = site_of(workspace)
    trees = list_trees(site.host, site.place.path)
    owners = _owners(workspace, trees)
    live = set(
        Run.objects.filter(task__in=owners.values(), state__in=Run.LIVE).values_list("task", flat=True)
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(
            pool.map(lambda tree: _state_of(site, tree, owners.get(tree.path), live, sizes), trees),
            key=_place,
        )


def _place(state: WorktreeState) -> tuple[bool, float, str]:
    pk = state.task.pk if state.task else math.inf
    return not state.tree.is_main, pk, state.tree.path


def _owners(workspace: Workspace, trees: Sequence[Tree]) -> dict[str, Task]:
    """Return path → task, for tasks of all workspaces on this host."""
    found = Task.objects.filter(worktree_path__in=[tree.path for tree in trees]).select_related("workspace")
    return {task.worktree_path: task for task in found if task.workspace.address == workspace.address}


def _state_of(site: Site, tree: Tree, owner: Task | None, live: set[int], sizes: bool) -> WorktreeState:
    exists = not tree.prunable and not tree.bare
    ahead, behind = _distance(site, tree)
    foreign = owner is not None and owner.workspace_id != site.workspace.pk
    return WorktreeState(
        tree=tree,
        task=None if foreign else owner,
        is_merge_worktree=tree.path == site.merge_worktree_path,
        uncommitted=_uncommitted(site, tree) if exists else None,
        ahead=ahead,
        behind=behind,
        size_kib=_size(site, tree) if exists and sizes else None,
        last_used=_last_used(site, tree) if exists else None,
        live=owner is not None and owner.pk in live,
        ignored=_ignored(site, tree) if exists and not tree.is_main else (),
        foreign=foreign,
    )


def _uncommitted(site: Site, tree: Tree) -> int | None:
    try:
        return status(site.host, tree.path).uncommitted
    except Refused:
        return None


def _ignored(site: Site, tree: Tree) -> tuple[str, ...]:
    try:
        found = site.host.call("unseen", {"path": tree.path, "untracked": [], "ignored": True})
    except HostError as error:
        if error.retryable:
            raise
        return ()
    return tuple(map(visible, found["ignored"]))


def _distance(site: Site, tree: Tree) -> tuple[int | None, int | None]:
    """Return the numbers of commits that only the worktree has, and that only the base branch has."""
    if not tree.head:
        return None, None
    args = ("rev-list", "--left-right", "--count", f"{tree.head}...{site.mainline.ref}", "--")
    counts = git(site.host, site.place.path, *args, check=False).out.split()
    return (int(counts[0]), int(counts[1])) if len(counts) == 2 else (None, None)


def _size(site: Site, tree: Tree) -> int | None:
    try:
        done = site.host.run(["du", "-skx", "--", tree.path], timeout=SIZE_SECONDS, check=False)
    except HostError as error:
        if error.code != "timeout_remote":
            raise
        return None
    count = done.out.split("\t")[0]
    return int(count) if count.isdecimal() else None


def _last_used(site: Site, tree: Tree) -> datetime | None:
    """Return when its index or its folder was last written."""
    done = git(site.host, tree.path, "rev-parse", "--absolute-git-dir", check=False)
    places = [tree.path, join(done.out.strip(), "index")] if not done.rc else [tree.path]
    times = [site.host.call("stat", {"path": path})["mtime"] for path in places]
    return datetime.fromtimestamp(max(times), UTC) if max(times) else None


def remove(workspace: Workspace, path: str) -> Rescued:
    """Remove a worktree safely. Raises Refused for the main one, locked ones and those in use."""
    state = next((s for s in survey(workspace, sizes=False) if s.tree.path == path), None)
    if state is None:
        raise Refused(f"There is no worktree {path}.")
    return remove_listed(workspace, state)


def remove_listed(workspace: Workspace, state: WorktreeState, *, careful: bool = False) -> Rescued:
    """Remove a worktree that `survey` returned. A task's branch stays, so that it can still be merged.

    With `careful`, ignored files that are too large to be kept prevent it: GitError `too_large`.
    """
    if state.obstacle:
        raise Refused(f"This worktree can't be removed: {state.obstacle}.")
    site = site_of(workspace)
    if state.is_merge_worktree:
        _refuse_while_merging(site)
    owner = state.task.pk if state.task else "worktrees"
    careful = careful and not state.is_merge_worktree
    return remove_tree(site, owner=owner, path=state.tree.path, branch="", careful=careful)


def _refuse_while_merging(site: Site) -> None:
    if MergeTrain.objects.filter(repo_key=site.key, state__in=MergeTrain.IN_PROGRESS).exists():
        raise Refused("A merge train is using this worktree.", "Wait until it has ended.")


def prune(workspace: Workspace) -> str:
    """Prune worktrees whose folders are missing; return git's output. Rescue refs keep their commits."""
    site = site_of(workspace)
    for tree in list_trees(site.host, site.place.path):
        if tree.prunable and tree.head and not tree.branch:
            keep(site.write, site.place.path, "worktrees", tree.head)
    done = site.write.git_to_its_end(site.place.path, "worktree", "prune", "--verbose")
    return done.err.strip()


def adopt(workspace: Workspace, path: str, *, user: AbstractBaseUser | None) -> Task:
    """Create a task in Review for a worktree that the app did not create."""
    state = next((s for s in survey(workspace, sizes=False) if s.tree.path == path), None)
    if state is None or state.gone or state.tree.bare:
        raise Refused(f"There is no worktree {path}.")
    if state.task or state.foreign or state.is_merge_worktree or state.tree.is_main:
        raise Refused("This worktree already belongs to a task, to merging or to the repository.")
    if not state.branch:
        raise Refused("This worktree has no branch checked out.", "Create one there: git switch -c NAME")
    site = site_of(workspace)
    if state.tree.branch == site.mainline.ref:
        raise Refused(f"{state.branch} is the base branch.", "Check out another branch there.")
    base = git(site.host, site.place.path, "merge-base", site.mainline.ref, state.tree.head, check=False)
    sizes = _sizes(site, base.out.strip(), state.tree.head)
    task = services.create_task(workspace, user, services.TaskFields(title=_title(site, state)))
    known = Known(path, state.branch, base.out.strip())
    mark = {"installation": site.installation, "task": task.pk}
    if adopt_worktree(site.host, repo=site.place.path, known=known, owner_mark=mark) is None:
        task.delete()
        raise Refused("This worktree belongs to another installation of the app.", "Adopt it there.")
    values = {"branch": known.branch, "worktree_path": path, "base_commit": known.base_commit}
    Task.objects.filter(pk=task.pk).update(**values, **sizes, status=Task.Status.REVIEW)
    task.refresh_from_db()
    hooks.branch_changed(workspace.pk)
    return task


def _sizes(site: Site, base: str, head: str) -> dict[str, int]:
    """Return the size of the branch's changes, as shown on its card."""
    files = changed_files(site.host, Range(site.place.path, base or EMPTY_TREE, head))
    return {
        "files_changed": len(files),
        "lines_added": sum(file.additions or 0 for file in files),
        "lines_deleted": sum(file.deletions or 0 for file in files),
    }


def _title(site: Site, state: WorktreeState) -> str:
    """Return the subject of the branch's last own commit, else the branch name."""
    args = ("log", "-1", "--format=%s", f"{site.mainline.ref}..{state.tree.head}", "--")
    return git(site.host, site.place.path, *args, check=False).out.strip() or state.branch
