"""All worktrees of a workspace's repository: whose they are, how they stand, and taking care of them."""

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
from workspaces.git import git
from workspaces.git.diffs import EMPTY_TREE, Range, changed_files
from workspaces.git.repos import status
from workspaces.git.rescue import keep
from workspaces.git.worktree_list import Tree, list_trees
from workspaces.hosts import HostError
from workspaces.models import Workspace

AT_ONCE = 4
SIZE_SECONDS = 20.0


@dataclass(frozen=True)
class WorktreeState:
    """A worktree with everything a person needs to decide about it."""

    tree: Tree
    task: Task | None
    is_merge_worktree: bool
    uncommitted: int | None
    "None when it can't be read."
    ahead: int | None
    behind: int | None
    size_kib: int | None
    "None when it took too long to count."
    last_used: datetime | None
    live: bool
    "A run of its task is going."
    foreign: bool
    "It is that of a task in another workspace of the same repository."

    @property
    def branch(self) -> str:
        return self.tree.branch.removeprefix("refs/heads/")

    @property
    def merged(self) -> bool:
        """Its work is on the base branch: all its commits, or a train squashed or rebased them onto it."""
        verdict = (
            Verdict.objects.filter(task=self.task, kind=Verdict.Kind.MERGED).first() if self.task else None
        )
        return self.ahead == 0 or (verdict is not None and verdict.commit == self.tree.head)

    @property
    def against_base(self) -> str:
        """How its branch compares with the base branch, in a word or two; empty where that says nothing."""
        if self.is_merge_worktree or self.tree.is_main:
            return ""
        if self.task and self.tree.head == self.task.base_commit:
            return "no commits"
        if self.merged:
            return "merged"
        return "" if self.ahead is None else f"{self.ahead} ahead"

    @property
    def size(self) -> int | None:
        """Bytes on the disk."""
        return None if self.size_kib is None else self.size_kib * 1024

    @property
    def vals(self) -> str:
        """What a button sends to name it."""
        return json.dumps({"path": self.tree.path})

    @property
    def gone(self) -> bool:
        return bool(self.tree.prunable)

    @property
    def obstacle(self) -> str:
        """Why it is not removed; empty when it may be."""
        if self.tree.is_main:
            return "the repository itself"
        if self.live:
            return "a run of its task is going"
        if self.foreign:
            return "a task of another workspace has it"
        if self.tree.locked is not None:
            return f"locked{': ' + self.tree.locked if self.tree.locked else ''}"
        return ""

    @property
    def is_finished(self) -> bool:
        """Nothing in it is still to be decided: merged and clean, or its task done."""
        if self.is_merge_worktree or self.obstacle or self.uncommitted != 0 or self.gone:
            return False
        return self.task is not None and self.task.status == Task.Status.DONE and self.merged


def survey(workspace: Workspace, *, sizes: bool = True) -> list[WorktreeState]:
    """All worktrees: the main one, those of tasks in their order, others. Raises HostError and GitError."""
    site = site_of(workspace)
    trees = list_trees(site.host, site.place.path)
    owners = _owners(workspace, trees)
    live = set(
        Run.objects.filter(task__in=owners.values(), state__in=Run.LIVE).values_list("task", flat=True)
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(
            pool.map(lambda tree: _standing(site, tree, owners.get(tree.path), live, sizes), trees),
            key=_place,
        )


def _place(standing: WorktreeState) -> tuple[bool, float, str]:
    pk = standing.task.pk if standing.task else math.inf
    return not standing.tree.is_main, pk, standing.tree.path


def _owners(workspace: Workspace, trees: Sequence[Tree]) -> dict[str, Task]:
    """Path → the task whose worktree it is, in whichever workspace of this host."""
    found = Task.objects.filter(worktree_path__in=[tree.path for tree in trees]).select_related("workspace")
    return {task.worktree_path: task for task in found if task.workspace.address == workspace.address}


def _standing(site: Site, tree: Tree, owner: Task | None, live: set[int], sizes: bool) -> WorktreeState:
    there = not tree.prunable and not tree.bare
    ahead, behind = _distance(site, tree)
    foreign = owner is not None and owner.workspace_id != site.workspace.pk
    return WorktreeState(
        tree=tree,
        task=None if foreign else owner,
        is_merge_worktree=tree.path == site.merge_worktree_path,
        uncommitted=_uncommitted(site, tree) if there else None,
        ahead=ahead,
        behind=behind,
        size_kib=_size(site, tree) if there and sizes else None,
        last_used=_last_used(site, tree) if there else None,
        live=owner is not None and owner.pk in live,
        foreign=foreign,
    )


def _uncommitted(site: Site, tree: Tree) -> int | None:
    try:
        return status(site.host, tree.path).uncommitted
    except Refused:
        return None


def _distance(site: Site, tree: Tree) -> tuple[int | None, int | None]:
    """Commits that only the worktree has, and that only the base branch has."""
    if not tree.head:
        return None, None
    words = ("rev-list", "--left-right", "--count", f"{tree.head}...{site.mainline.ref}", "--")
    counts = git(site.host, site.place.path, *words, check=False).out.split()
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
    """When its index or its folder was written last."""
    done = git(site.host, tree.path, "rev-parse", "--absolute-git-dir", check=False)
    places = [tree.path, join(done.out.strip(), "index")] if not done.rc else [tree.path]
    times = [site.host.call("stat", {"path": path})["mtime"] for path in places]
    return datetime.fromtimestamp(max(times), UTC) if max(times) else None


def remove(workspace: Workspace, path: str) -> Rescued:
    """Remove one worktree safely. Raises Refused for the main one, a locked one, and one in use."""
    standing = next((s for s in survey(workspace, sizes=False) if s.tree.path == path), None)
    if standing is None:
        raise Refused(f"There is no worktree {path}.")
    return remove_standing(workspace, standing)


def remove_standing(workspace: Workspace, standing: WorktreeState) -> Rescued:
    """Remove what `survey` showed; a task's branch stays, so that its work can still be merged."""
    if standing.obstacle:
        raise Refused(f"This worktree is not removed: {standing.obstacle}.")
    site = site_of(workspace)
    if standing.is_merge_worktree:
        _refuse_while_merging(site)
    owner = standing.task.pk if standing.task else "worktrees"
    return remove_tree(site, owner=owner, path=standing.tree.path, branch="")


def _refuse_while_merging(site: Site) -> None:
    if MergeTrain.objects.filter(repo_key=site.key, state__in=MergeTrain.AT_WORK).exists():
        raise Refused("A merge train works there just now.")


def prune(workspace: Workspace) -> str:
    """Have git forget worktrees whose folders are gone; what it said. Their commits stay in rescue refs."""
    site = site_of(workspace)
    for tree in list_trees(site.host, site.place.path):
        if tree.prunable and tree.head and not tree.branch:
            keep(site.write, site.place.path, "worktrees", tree.head)
    done = site.write.git_to_its_end(site.place.path, "worktree", "prune", "--verbose")
    return done.err.strip()


def adopt(workspace: Workspace, path: str, *, user: AbstractBaseUser | None) -> Task:
    """Make a task in review of a worktree that somebody made outside."""
    standing = next((s for s in survey(workspace, sizes=False) if s.tree.path == path), None)
    if standing is None or standing.gone or standing.tree.bare:
        raise Refused(f"There is no worktree {path}.")
    if standing.task or standing.foreign or standing.is_merge_worktree or standing.tree.is_main:
        raise Refused("This worktree belongs to something already.")
    if not standing.branch:
        raise Refused("This worktree is on no branch.", "Make one there: git switch -c NAME")
    site = site_of(workspace)
    if standing.tree.branch == site.mainline.ref:
        raise Refused(f"{standing.branch} is what everything is merged into.", "Adopt another branch.")
    base = git(site.host, site.place.path, "merge-base", site.mainline.ref, standing.tree.head, check=False)
    task = services.create_task(workspace=workspace, user=user, title=_title(site, standing))
    values = {"branch": standing.branch, "worktree_path": path, "base_commit": base.out.strip()}
    sizes = _sizes(site, base.out.strip(), standing.tree.head)
    Task.objects.filter(pk=task.pk).update(**values, **sizes, status=Task.Status.REVIEW)
    task.refresh_from_db()
    hooks.branch_changed(workspace.pk)
    return task


def _sizes(site: Site, base: str, head: str) -> dict[str, int]:
    """How much its card says that the branch changes."""
    files = changed_files(site.host, Range(site.place.path, base or EMPTY_TREE, head))
    return {
        "files_changed": len(files),
        "lines_added": sum(file.additions or 0 for file in files),
        "lines_deleted": sum(file.deletions or 0 for file in files),
    }


def _title(site: Site, standing: WorktreeState) -> str:
    """The subject of its last own commit, else the branch's name."""
    words = ("log", "-1", "--format=%s", f"{site.mainline.ref}..{standing.tree.head}", "--")
    return git(site.host, site.place.path, *words, check=False).out.strip() or standing.branch
