"""The worktrees of a repository, including those that the app did not create."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import join

from workspaces.git.commands import git
from workspaces.git.repos import RepositoryPaths
from workspaces.hosts import HostConnection, HostError


@dataclass(frozen=True)
class Tree:
    """One worktree as git lists it. The first one is the main worktree, which can't be removed."""

    path: str
    head: str = ""
    branch: str = ""
    "Full ref name; empty if HEAD is detached or the repository is bare."
    bare: bool = False
    is_main: bool = False
    locked: str | None = None
    "The reason of the lock, possibly empty; None if it is not locked."
    prunable: str = ""
    "Why git would prune it; empty if its folder exists."


def list_trees(host: HostConnection, repo: str) -> list[Tree]:
    """Return the worktrees of a repository, the main one first. Raises GitError."""
    done = git(host, repo, "worktree", "list", "--porcelain", "-z", check=False)
    separator = "\0"
    if done.rc:  # git before 2.36
        done = git(host, repo, "worktree", "list", "--porcelain")
        separator = "\n"
    records = done.out.split(separator * 2)
    parsed = [_fields(record.split(separator)) for record in records if record.strip(separator)]
    if parsed:  # git names the trusted folder: see `workspaces.hostkit.git`
        parsed[0]["worktree"] = host.call("git_place", {"path": repo})["main"]
    return [_tree(values, is_main=number == 0) for number, values in enumerate(parsed)]


def checkout_path(host: HostConnection, repo: RepositoryPaths, path: str) -> str:
    """Return the worktree that git names in `%(worktreepath)`; empty for a bare repository itself."""
    place = host.call("git_place", {"path": repo.path})
    if path != place["trusted"]:
        return path
    return "" if repo.bare else place["main"]


def rebasing_worktree(host: HostConnection, trees: list[Tree], ref: str) -> str:
    """Return the path of a worktree in which this branch is being rebased; empty if there is none."""
    for tree in trees:
        if tree.bare or tree.branch or tree.prunable:
            continue
        git_dir = git(host, tree.path, "rev-parse", "--absolute-git-dir", check=False).out.strip()
        for state in ("rebase-merge", "rebase-apply"):
            if git_dir and _line(host, join(git_dir, state, "head-name")) == ref:
                return tree.path
    return ""


def _line(host: HostConnection, path: str) -> str:
    try:
        return str(host.call("read", {"path": path, "limit": 4096})["data"]).strip()
    except HostError as error:
        if error.code in {"not_found", "remote_failed"}:
            return ""
        raise


def _fields(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(" ") for line in lines if line)
    return {name: value for name, _, value in pairs}


def _tree(values: dict[str, str], *, is_main: bool) -> Tree:
    return Tree(
        path=values.get("worktree", ""),
        head=values.get("HEAD", ""),
        branch=values.get("branch", ""),
        bare="bare" in values,
        is_main=is_main,
        locked=values.get("locked"),
        prunable=values.get("prunable", ""),
    )
