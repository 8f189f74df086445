"""Stage the changes of a worktree without entering its submodules."""

from __future__ import annotations

from collections.abc import Sequence

from workspaces.git.commands import failure
from workspaces.git.submodules import excluded, submodules_of
from workspaces.git.writing import Writer
from workspaces.hosts import Completed


def stage_all(write: Writer, worktree: str) -> None:
    """Stage all changes and untracked files, and the commits of submodules. Raises GitError."""
    paths = _add(write, worktree, "--all")
    if paths:
        stdin = "".join(f"{path}\0" for path in paths)
        write.git(worktree, "update-index", "--add", "--remove", "-z", "--stdin", stdin=stdin)


def announce_untracked(write: Writer, worktree: str) -> None:
    """Add untracked files to the index without their content, so that a diff shows them. Raises GitError."""
    _add(write, worktree, "--intent-to-add", "--ignore-errors")


def forget_special_files(write: Writer, worktree: str) -> bool:
    """Remove from the index what has become a pipe or another special file; return whether there was one.

    git can't compare such files.
    """
    paths = _special_files(write, worktree)
    stdin = "".join(f"{path}\0" for path in paths)
    if paths:
        write.git(worktree, "update-index", "--force-remove", "-z", "--stdin", stdin=stdin)
    return bool(paths)


def _add(write: Writer, worktree: str, *options: str) -> list[str]:
    """Run git add everywhere but in submodules; return their paths."""
    paths = submodules_of(write.host, worktree, write.environment.get("GIT_INDEX_FILE", ""))
    done = _add_except(write, worktree, options, paths)
    if done.rc and (special := _special_files(write, worktree)):
        done = _add_except(write, worktree, options, [*paths, *special])
    if done.rc > 1:  # 1: something could not be added, for example a nested repository without a commit
        raise failure(worktree, "add", done)
    return paths


def _add_except(write: Writer, worktree: str, options: Sequence[str], paths: Sequence[str]) -> Completed:
    return write.git(worktree, "add", *options, "--", ".", *excluded(paths), check=False)


def _special_files(write: Writer, worktree: str) -> list[str]:
    """Return the tracked paths where there is a pipe, a socket or a device now."""
    names = write.git(worktree, "ls-files", "--modified", "-z").out.split("\0")[:-1]
    return write.host.call("special_files", {"folder": worktree, "names": names})["names"] if names else []
