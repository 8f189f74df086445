"""Take merges back by one commit on top of main."""

from __future__ import annotations

from collections.abc import Sequence

from workspaces.git.commands import GitError, git
from workspaces.hosts import Completed
from workspaces.merging.merge_worktree import MergeWorktree


def revert(worktree: MergeWorktree, tip: str, merged: Sequence[tuple[str, str]], message: str) -> str:
    """A commit on `tip` without what each (main before, main after) pair brought, newest pair first.

    HEAD is `tip`. Raises GitError when later work builds on the merges, or when nothing would change.
    """
    for before, after in merged:
        _take_back(worktree, tip, before, after)
    if git(worktree.host, worktree.path, "diff", "--cached", "--quiet", "HEAD", "--", check=False).rc == 0:
        raise GitError("There is nothing left of it on main.", "It was taken back before.")
    words = ("commit", "--quiet", "--cleanup=whitespace", "--file=-")
    worktree.write.git(worktree.path, *words, stdin=message)
    return git(worktree.host, worktree.path, "rev-parse", "HEAD").out.strip()


def bring_back(worktree: MergeWorktree, tip: str, merged: str, branch_tip: str, message: str) -> str:
    """A commit on top of the branch that holds main's tip and what the merge commit `merged` brought there.

    Raises GitError when it does not fit any more.
    """
    worktree.recover(tip)
    done = worktree.write.git(worktree.path, "cherry-pick", "--no-commit", "-m", "1", merged, check=False)
    if done.rc:
        raise _unfit(worktree, tip, done)
    tree = worktree.write.git(worktree.path, "write-tree").out.strip()
    worktree.recover(branch_tip)
    words = ("merge", "--quiet", "--no-commit", "--no-ff", "--strategy=ours", tip)
    worktree.write.git(worktree.path, *words)
    worktree.write.git(worktree.path, "read-tree", "--reset", "-u", tree)
    worktree.write.git(worktree.path, "commit", "--quiet", "--cleanup=whitespace", "--file=-", stdin=message)
    return git(worktree.host, worktree.path, "rev-parse", "HEAD").out.strip()


def merge_into(worktree: MergeWorktree, tip: str, commit: str, message: str) -> str:
    """The commit that a merge into a branch at `tip` makes. Raises GitError when they conflict."""
    worktree.recover(tip)
    words = ("merge", "--quiet", "--no-ff", "--no-edit", "-m", message, commit)
    done = worktree.write.git(worktree.path, *words, check=False)
    if done.rc:
        raise _unfit(worktree, tip, done)
    return git(worktree.host, worktree.path, "rev-parse", "HEAD").out.strip()


def _unfit(worktree: MergeWorktree, tip: str, done: Completed) -> GitError:
    some = _in_the_way(worktree, tip, done)
    hint = "Start the task over, or bring it back by hand."
    return GitError(f"Later work is in its way, in: {some}.", hint)


def _in_the_way(worktree: MergeWorktree, tip: str, done: Completed) -> str:
    """The files that conflict, or what git said; the merge worktree is clean again."""
    listed = git(worktree.host, worktree.path, "diff", "--name-only", "--diff-filter=U", "-z").out.split("\0")
    worktree.recover(tip)
    return ", ".join(name for name in listed[:5] if name) or done.err.strip()[-300:]


def _take_back(worktree: MergeWorktree, tip: str, before: str, after: str) -> None:
    for commit, parents in _commits(worktree, before, after):
        mainline = ["-m", "1"] if len(parents) > 1 else []
        done = worktree.write.git(worktree.path, "revert", "--no-commit", *mainline, commit, check=False)
        if done.rc:
            some = _in_the_way(worktree, tip, done)
            raise GitError(f"Later work builds on it, in: {some}.", "Revert it by hand, or with an agent.")


def _commits(worktree: MergeWorktree, before: str, after: str) -> list[tuple[str, list[str]]]:
    """What the first-parent line has from one main to the next, newest first."""
    words = ("rev-list", "--first-parent", "--parents", f"{before}..{after}", "--")
    lines = git(worktree.host, worktree.path, *words).out.splitlines()
    return [(line.split()[0], line.split()[1:]) for line in lines]
