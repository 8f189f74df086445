"""Repositories inside of a worktree, submodules or not: what only they hold goes with the worktree."""

from __future__ import annotations

from posixpath import join
from uuid import uuid4

from workspaces.git.commands import GitError, git
from workspaces.git.repos import status
from workspaces.git.rescue import rescue_name, snapshot
from workspaces.git.writing import Writer, writer

MARK = "refs/aitask/leaving"
GITLINK = "160000"


def keep_nested(write: Writer, repo: str, worktree: str, owner: int | str) -> list[str]:
    """Fetch work that is in no other place into rescue refs of the repository itself; their names.

    That is what is not committed in a repository below the worktree, and commits that none of its remotes
    has. Raises GitError.
    """
    kept = []
    for path in _nested(write, worktree):
        place = join(worktree, path)
        commit = _only_here(writer(write.host, place), place)
        if commit:
            name = rescue_name(owner, f"submodule-{path}")
            write.git(place, "update-ref", MARK, commit)
            words = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", place)
            write.git(repo, *words, f"{MARK}:{name}", f"refs/heads/*:{name}-branches/*")
            kept.append(name)
    return kept


def _nested(write: Writer, worktree: str) -> list[str]:
    """Paths of the repositories below a worktree, at any depth; those that git ignores are not looked at."""
    staged = git(write.host, worktree, "ls-files", "--stage", "-z").out.split("\0")
    links = [record.partition("\t")[2] for record in staged if record.startswith(GITLINK)]
    others = git(write.host, worktree, "ls-files", "--others", "--exclude-standard", "-z").out.split("\0")
    found = []
    for path in (*links, *(other.rstrip("/") for other in others if other.endswith("/"))):
        if write.host.exists(join(worktree, path, ".git")):
            found += [path, *(join(path, below) for below in _nested(write, join(worktree, path)))]
    return found


def _only_here(write: Writer, place: str) -> str:
    """The commit that holds what would be lost; empty when there is nothing."""
    found = status(write.host, place)
    if not found.head:
        raise GitError(f"{place} has files but no commit.", "Look at it by hand before you remove it.")
    if not found.clean:
        index = join(str(write.host.hello()["state_dir"]), "rescued", f"index-{uuid4().hex[:12]}")
        write.host.run(["mkdir", "-p", "-m", "700", "--", index.rpartition("/")[0]])
        try:
            return snapshot(write, place, index)
        finally:
            write.host.run(["rm", "-f", "--", index], check=False)
    words = ("rev-list", "--max-count=1", "HEAD", "--branches", "--not", "--remotes")
    own = git(write.host, place, *words, check=False).out.strip()
    return own and found.head
