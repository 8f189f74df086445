"""Repositories nested in a worktree, submodules or not: removing the worktree removes their commits."""

from __future__ import annotations

from posixpath import join
from uuid import uuid4

from workspaces.git.commands import GitError, git
from workspaces.git.repos import status
from workspaces.git.rescue import rescue_name, snapshot
from workspaces.git.submodules import submodules_of
from workspaces.git.writing import Writer, writer

MARK = "refs/aitask/leaving"


def keep_nested(write: Writer, repo: str, worktree: str, owner: int | str) -> list[str]:
    """Fetch work that exists nowhere else into rescue refs of the repository; return their names.

    That is uncommitted work in a repository below the worktree, and commits that none of its remotes has.
    Raises GitError.
    """
    kept = []
    for path in _nested(write, worktree):
        folder = join(worktree, path)
        commit = _unsaved_commit(writer(write.host, folder), folder)
        if commit:
            name = rescue_name(owner, f"submodule-{path}")
            write.git(folder, "update-ref", MARK, commit)
            args = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", folder)
            write.git(repo, *args, f"{MARK}:{name}", f"refs/heads/*:{name}-branches/*")
            kept.append(name)
    return kept


def _nested(write: Writer, worktree: str) -> list[str]:
    """Return the paths of the repositories below a worktree, at any depth, except those that git ignores."""
    links = submodules_of(write.host, worktree)
    others = git(write.host, worktree, "ls-files", "--others", "--exclude-standard", "-z").out.split("\0")
    state = []
    for path in (*links, *(other.rstrip("/") for other in others if other.endswith("/"))):
        if write.host.exists(join(worktree, path, ".git")):
            state += [path, *(join(path, below) for below in _nested(write, join(worktree, path)))]
    return state


def _unsaved_commit(write: Writer, folder: str) -> str:
    """Return a commit with the work that would be lost; empty if there is none."""
    state = status(write.host, folder)
    if not state.head:
        raise GitError(f"{folder} has files but no commit.", "Check its files before you remove it.")
    if not state.clean:
        index = join(str(write.host.hello()["state_dir"]), "rescued", f"index-{uuid4().hex[:12]}")
        write.host.run(["mkdir", "-p", "-m", "700", "--", index.rpartition("/")[0]])
        try:
            return snapshot(write, folder, index, state.hidden)
        finally:
            write.host.run(["rm", "-f", "--", index], check=False)
    args = ("rev-list", "--max-count=1", "HEAD", "--branches", "--not", "--remotes")
    unpushed = git(write.host, folder, *args, check=False).out.strip()
    return unpushed and state.head
