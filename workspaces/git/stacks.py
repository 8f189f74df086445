"""Branches that start from another branch than the base branch."""

from __future__ import annotations

from dataclasses import replace

from workspaces.git.commands import git
from workspaces.git.diffs import merge_base
from workspaces.git.repos import contains
from workspaces.git.writing import Writer
from workspaces.hosts import HostConnection

MOST = 200
"Commits of a branch that are moved at most."
SECONDS = 120.0


def starts_at(host: HostConnection, repo: str, main: str, tip: str, base: str) -> bool:
    """Return whether a branch still stands on the commit `base`, which main lacks.

    It does not if main contains that commit, if the branch has been moved away from it, and if it has merged
    newer commits of main than that commit is based on.
    """
    if not base or contains(host, repo, main, base) or not contains(host, repo, tip, base):
        return False
    shared = merge_base(host, repo, main, tip)
    return not shared or contains(host, repo, base, shared)


def replayed(write: Writer, repo: str, base: str, tip: str, onto: str) -> str:
    """Return the tip of the commits `base..tip` on `onto`, made in memory; empty if that is not possible.

    It is not if they conflict or contain merges, if there are too many, and if git is older than 2.38.
    """
    args = ("rev-list", "--reverse", "--topo-order", "--parents", f"--max-count={MOST + 1}", f"{base}..{tip}")
    rows = [line.split() for line in git(write.host, repo, *args, "--").out.splitlines()]
    if len(rows) > MOST or any(len(row) != 2 for row in rows):
        return ""
    at = onto
    for commit, parent in rows:
        tree = applied(write, repo, parent, commit, at)
        if not tree:
            return ""
        at = _copied(write, repo, commit, tree, at)
    return at


def applied(write: Writer, repo: str, base: str, commit: str, onto: str) -> str:
    """Return the tree of `onto` with what differs between `base` and `commit`; empty if that conflicts.

    Also if git is older than 2.38. `merge-tree` can be told a merge base only since 2.40: so a commit on
    `base` stands for `onto`.
    """
    stands = ("commit-tree", "-p", base, "-m", "Stands for another commit", f"{onto}^{{tree}}")
    stand_in = write.git(repo, *stands).out.strip()
    args = ("merge-tree", "--write-tree", "-z", stand_in, commit)
    done = git(write.host, repo, *args, timeout=SECONDS, check=False)
    return "" if done.rc else done.out.split("\0")[0].strip()


def _copied(write: Writer, repo: str, commit: str, tree: str, parent: str) -> str:
    """Create a commit with the author and message of another one."""
    args = (
        "log",
        "--no-walk",
        "--no-show-signature",
        "--format=%an%x00%ae%x00%ad%x00%B",
        "--date=raw",
        commit,
    )
    name, email, date, message = git(write.host, repo, *args, "--").out.split("\0", 3)
    author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_AUTHOR_DATE": date}
    own = replace(write, environment={**write.environment, **author})
    return own.git(repo, "commit-tree", "-p", parent, "-F", "-", tree, stdin=message).out.strip()


def patch_id(write: Writer, repo: str, base: str, tip: str) -> str:
    """Return git's id of all that differs between two commits; the same for the same changes elsewhere."""
    diff = git(write.host, repo, "diff-tree", "-p", "--full-index", base, tip, "--", timeout=SECONDS).out
    return write.git(repo, "patch-id", "--stable", stdin=diff).out.split(" ")[0] if diff else ""
