"""What only the submodules of one worktree hold: their repositories go with the worktree."""

from __future__ import annotations

from posixpath import join
from uuid import uuid4

from workspaces.git.commands import GitError, git
from workspaces.git.repos import status
from workspaces.git.rescue import rescue_name, snapshot
from workspaces.git.writing import Writer, writer

MARK = "refs/aitask/leaving"
EACH = 'printf "%s\\0" "$displaypath"'


def keep_submodules(write: Writer, repo: str, worktree: str, owner: int | str) -> list[str]:
    """Fetch work that is in no other place into rescue refs of the repository itself; their names.

    That is what is not committed in a submodule, and commits that none of its remotes has. Raises GitError.
    """
    if not write.host.call("stat", {"path": join(worktree, ".gitmodules")})["exists"]:
        return []
    foreach = ("submodule", "--quiet", "foreach", "--recursive", "--quiet", EACH)
    listed = git(write.host, worktree, *foreach, timeout=120, check=False).out.split("\0")
    kept = []
    for path in filter(None, listed):
        place = join(worktree, path)
        commit = _only_here(writer(write.host, place), place)
        if commit:
            name = rescue_name(owner, f"submodule-{path}")
            write.git(place, "update-ref", MARK, commit)
            words = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", place)
            write.git(repo, *words, f"{MARK}:{name}")
            kept.append(name)
    return kept


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
