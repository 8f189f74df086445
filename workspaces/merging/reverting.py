"""Commits that revert merges, and that reapply what was reverted."""

from __future__ import annotations

from collections.abc import Sequence

from workspaces.git.commands import GitError, git
from workspaces.hosts import Completed
from workspaces.merging.merge_worktree import MergeWorktree


def revert(worktree: MergeWorktree, tip: str, merged: Sequence[tuple[str, str]], message: str) -> str:
    """Return a commit on `tip`, which is HEAD, that reverts merges: (main before, main after), newest first.

    Raises GitError if later commits build on the merges, or if nothing would change.
    """
    for before, after in merged:
        _revert_range(worktree, tip, before, after)
    if git(worktree.host, worktree.path, "diff", "--cached", "--quiet", "HEAD", "--", check=False).rc == 0:
        raise GitError("Main contains none of these changes any more.", "They were reverted before.")
    args = ("commit", "--quiet", "--cleanup=whitespace", "--file=-")
    _git(worktree, *args, stdin=message)
    return git(worktree.host, worktree.path, "rev-parse", "HEAD").out.strip()


def reapply(worktree: MergeWorktree, tip: str, merged: str, branch_tip: str, message: str) -> str:
    """Return a commit on `branch_tip` that contains main's `tip` and what the merge commit `merged` merged.

    Raises GitError if they conflict.
    """
    worktree.recover(tip)
    done = worktree.write.with_hooks.git(
        worktree.path, "cherry-pick", "--no-commit", "-m", "1", merged, check=False
    )
    if done.rc:
        raise _conflict_error(worktree, tip, done)
    tree = _git(worktree, "write-tree").out.strip()
    worktree.recover(branch_tip)
    args = ("merge", "--quiet", "--no-commit", "--no-ff", "--strategy=ours", tip)
    _git(worktree, *args)
    _git(worktree, "read-tree", "--reset", "-u", tree)
    worktree.write.with_hooks.git(
        worktree.path, "commit", "--quiet", "--cleanup=whitespace", "--file=-", stdin=message
    )
    return git(worktree.host, worktree.path, "rev-parse", "HEAD").out.strip()


def merge_into(worktree: MergeWorktree, tip: str, commit: str, message: str) -> str:
    """Return the commit of merging `commit` into a branch at `tip`. Raises GitError if they conflict."""
    worktree.recover(tip)
    args = ("merge", "--quiet", "--no-ff", "--no-edit", "-m", message, commit)
    done = _git(worktree, *args, check=False)
    if done.rc:
        raise _conflict_error(worktree, tip, done)
    return git(worktree.host, worktree.path, "rev-parse", "HEAD").out.strip()


def _git(worktree: MergeWorktree, *args: str, stdin: str | None = None, check: bool = True) -> Completed:
    """Run git in the merge worktree, with the hooks that it would run for a person."""
    return worktree.write.with_hooks.git(worktree.path, *args, stdin=stdin, check=check)


def _conflict_error(worktree: MergeWorktree, tip: str, done: Completed) -> GitError:
    some = _conflicting_files(worktree, tip, done)
    hint = "Start the task over, or reapply the changes in a terminal."
    return GitError(f"It conflicts with later commits, in: {some}.", hint)


def _conflicting_files(worktree: MergeWorktree, tip: str, done: Completed) -> str:
    """Return the conflicting files, else git's error output, and clean the merge worktree."""
    listed = git(worktree.host, worktree.path, "diff", "--name-only", "--diff-filter=U", "-z").out.split("\0")
    worktree.recover(tip)
    return ", ".join(name for name in listed[:5] if name) or done.err.strip()[-300:]


def _revert_range(worktree: MergeWorktree, tip: str, before: str, after: str) -> None:
    for commit, parents in _commits(worktree, before, after):
        mainline = ["-m", "1"] if len(parents) > 1 else []
        done = worktree.write.with_hooks.git(
            worktree.path, "revert", "--no-commit", *mainline, commit, check=False
        )
        if done.rc:
            some = _conflicting_files(worktree, tip, done)
            raise GitError(
                f"Later commits build on it, in: {some}.", "Revert it in a terminal, or let an agent do it."
            )


def _commits(worktree: MergeWorktree, before: str, after: str) -> list[tuple[str, list[str]]]:
    """Return the first-parent commits of `before..after` with their parents, newest first."""
    args = ("rev-list", "--first-parent", "--parents", f"{before}..{after}", "--")
    lines = git(worktree.host, worktree.path, *args).out.splitlines()
    return [(line.split()[0], line.split()[1:]) for line in lines]
