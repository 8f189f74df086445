"""Files that git does not track and would overwrite: untracked ones, and those that it ignores.

git itself spares untracked files, but overwrites ignored ones, with the folders that they are in.
"""

from __future__ import annotations

from collections.abc import Sequence

from workspaces.git.commands import git
from workspaces.hosts import HostConnection

SECONDS = 120.0
GITLINK = "160000"
MAX_ARGUMENTS = 64 * 1024
"Bytes of paths that are passed to one git command."


def files_in_the_way(host: HostConnection, worktree: str, old: str, new: str) -> list[str]:
    """Return the untracked and ignored files that a checkout of `new` would overwrite or remove, sorted.

    `old` is the commit that is checked out; both may be trees. A nested repository is named as a folder.
    Raises GitError.
    """
    args = ("diff-tree", "-r", "--raw", "--no-renames", "--diff-filter=A", "-z", old, new, "--")
    fields = git(host, worktree, *args, timeout=SECONDS).out.split("\0")
    added = [created_path(header, path) for header, path in zip(fields[:-1:2], fields[1::2], strict=True)]
    return untracked_at(host, worktree, added)


def created_path(header: str, path: str) -> str:
    """Return the path that git creates for an added entry of `diff-tree --raw`.

    For a submodule that is its folder: one that exists stays with what is in it, but a file is in the way.
    """
    return f"{path}/.git" if header.split(" ")[1] == GITLINK else path


def untracked_at(host: HostConnection, worktree: str, paths: Sequence[str]) -> list[str]:
    """Return the untracked and ignored files that lie where files with these paths would be created."""
    if not paths:
        return []
    names = host.call("obstacles", {"folder": worktree, "names": list(paths)}, timeout=SECONDS)["names"]
    found: set[str] = set()
    for some in _portions(names):
        args = ("--literal-pathspecs", "ls-files", "--others", "-z", "--", *some)
        found.update(git(host, worktree, *args, timeout=SECONDS).out.split("\0")[:-1])
    return sorted(found)


def _portions(names: Sequence[str]) -> list[list[str]]:
    """Split names so that each portion fits into the arguments of a command."""
    portions: list[list[str]] = []
    size = MAX_ARGUMENTS
    for name in names:
        size += 4 * len(name)
        if size > MAX_ARGUMENTS:
            portions.append([])
            size = 4 * len(name)
        portions[-1].append(name)
    return portions
