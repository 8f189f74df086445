"""Take merges back by one commit on top of main."""

from __future__ import annotations

from collections.abc import Sequence

from workspaces.git.commands import GitError, git
from workspaces.merging.bench import Bench


def revert(bench: Bench, tip: str, merged: Sequence[tuple[str, str]], message: str) -> str:
    """A commit on `tip` without what each (main before, main after) pair brought, newest pair first.

    The bench stands at `tip`. Raises GitError when later work builds on it, or when nothing would change.
    """
    for before, after in merged:
        _take_back(bench, tip, before, after)
    if git(bench.host, bench.path, "diff", "--cached", "--quiet", "HEAD", "--", check=False).rc == 0:
        raise GitError("There is nothing left of it on main.", "It was taken back before.")
    words = ("commit", "--quiet", "--cleanup=whitespace", "--file=-")
    bench.write.git(bench.path, *words, stdin=message)
    return git(bench.host, bench.path, "rev-parse", "HEAD").out.strip()


def _take_back(bench: Bench, tip: str, before: str, after: str) -> None:
    for commit, parents in _commits(bench, before, after):
        mainline = ["-m", "1"] if len(parents) > 1 else []
        done = bench.write.git(bench.path, "revert", "--no-commit", *mainline, commit, check=False)
        if done.rc:
            files = git(bench.host, bench.path, "diff", "--name-only", "--diff-filter=U", "-z").out.split(
                "\0"
            )
            bench.recover(tip)
            some = ", ".join(name for name in files[:5] if name) or done.err.strip()[-300:]
            raise GitError(f"Later work builds on it, in: {some}.", "Revert it by hand, or with an agent.")


def _commits(bench: Bench, before: str, after: str) -> list[tuple[str, list[str]]]:
    """What the first-parent line has from one main to the next, newest first."""
    words = ("rev-list", "--first-parent", "--parents", f"{before}..{after}", "--")
    lines = git(bench.host, bench.path, *words).out.splitlines()
    return [(line.split()[0], line.split()[1:]) for line in lines]
