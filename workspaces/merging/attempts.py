"""Try one branch on top of a commit, in the merge worktree: what would main be, or why not."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from posixpath import join

from workspaces.git.commands import git
from workspaces.git.repos import contains
from workspaces.hosts import Completed
from workspaces.merging.conflicts import (
    MAX_FILES,
    Conflict,
    from_merge_tree,
    hunks_of,
    kinds_by_path,
    said_by_merge_tree,
)
from workspaces.merging.merge_worktree import MergeWorktree
from workspaces.merging.quick import commit


class Strategy(enum.StrEnum):
    """How the work of a branch gets onto main."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class MergeResult(enum.StrEnum):
    CLEAN = "clean"
    ALREADY = "already"
    "Its changes are there."
    NOTHING = "nothing"
    "It has no changes of its own."
    CONFLICT = "conflict"
    REFUSED = "refused"
    "git itself said no: a hook, a signature, a filter."


@dataclass(frozen=True)
class Change:
    """What is to be merged: a commit, where it started, and what to call it."""

    commit: str
    fork: str
    "The commit that the branch was made at; may be empty."
    branch: str
    message: str
    options: tuple[str, ...] = ()
    "What the person's `branch.<main>.mergeOptions` adds to each merge."


@dataclass(frozen=True)
class Attempt:
    """How it went. `commit` is what main would be when the verdict is clean."""

    verdict: MergeResult
    commit: str = ""
    conflicts: list[Conflict] = field(default_factory=list)
    output: str = ""


def foresee(
    worktree: MergeWorktree, onto: str, change: Change, strategy: Strategy, *, quick: bool
) -> Attempt | None:
    """Try it without touching a file; None when it has to be tried in the merge worktree.

    With `quick` nothing in the person's set-up has a say: what conflicts here would conflict there, and a
    clean merge is made in memory.
    """
    words = ("merge-tree", "--write-tree", "-z", onto, change.commit)
    done = git(worktree.host, worktree.path, *words, timeout=300, check=False)
    tree = done.out.split("\0")[0].strip()
    if done.rc == 0 and tree == worktree.tree_of(onto):
        return _nothing_new(worktree, onto, change)
    if done.rc == 0 and quick and strategy == Strategy.MERGE:
        made = commit(worktree, tree, (onto, change.commit), change.message)
        return Attempt(MergeResult.CLEAN, commit=made)
    if done.rc == 1 and "\0" in done.out and quick and strategy != Strategy.REBASE:
        names = {onto: "main", change.commit: change.branch}
        found = from_merge_tree(worktree.host, worktree.path, done.out, names)
        return Attempt(MergeResult.CONFLICT, conflicts=found, output=said_by_merge_tree(done.out, names))
    known = done.rc == 0 or not contains(worktree.host, worktree.path, onto, change.commit)
    return None if known else _nothing_new(worktree, onto, change)


def attempt(worktree: MergeWorktree, onto: str, change: Change, strategy: Strategy) -> Attempt:
    """Bring the change onto the HEAD of the merge worktree, which stays there unless the attempt is clean."""
    done = STRATEGIES[strategy](worktree, onto, change)
    if done.rc:
        found = _what_went_wrong(worktree, onto, change, done)
        worktree.recover(onto)
        return found
    return _result(worktree, onto, change, strategy, done)


def _nothing_new(worktree: MergeWorktree, onto: str, change: Change) -> Attempt:
    """Either its work is on main already, or it never did any."""
    base = git(worktree.host, worktree.path, "merge-base", onto, change.commit, check=False).out.strip()
    if base == change.commit:
        return Attempt(MergeResult.NOTHING if change.commit == change.fork else MergeResult.ALREADY)
    same = (
        git(worktree.host, worktree.path, "diff", "--quiet", base, change.commit, "--", check=False).rc == 0
    )
    return Attempt(MergeResult.NOTHING if base and same else MergeResult.ALREADY)


def _merge(worktree: MergeWorktree, _onto: str, change: Change) -> Completed:
    words = ("merge", *change.options, "--quiet", "--no-ff", "--no-edit", "--no-autostash")
    more = ("--cleanup=whitespace", "-m", change.message, change.commit)
    return worktree.write.git(worktree.path, *words, *more, check=False)


def _squash(worktree: MergeWorktree, _onto: str, change: Change) -> Completed:
    words = ("merge", *change.options, "--quiet", "--ff", "--squash", "--no-autostash")
    done = worktree.write.git(worktree.path, *words, change.commit, check=False)
    if done.rc:
        return done
    commit = ("commit", "--quiet", "--cleanup=whitespace", "--file=-")
    return worktree.write.git(worktree.path, *commit, stdin=change.message, check=False)


def _rebase(worktree: MergeWorktree, onto: str, change: Change) -> Completed:
    words = ("-c", "rebase.updateRefs=false", "rebase", "--quiet", "--no-autostash", "--empty=drop")
    return worktree.write.git(worktree.path, *words, onto, change.commit, check=False)


STRATEGIES: dict[Strategy, Callable[[MergeWorktree, str, Change], Completed]] = {
    Strategy.MERGE: _merge,
    Strategy.SQUASH: _squash,
    Strategy.REBASE: _rebase,
}


def _what_went_wrong(worktree: MergeWorktree, onto: str, change: Change, done: Completed) -> Attempt:
    records = git(worktree.host, worktree.path, "ls-files", "--unmerged", "-z").out.split("\0")
    kinds = kinds_by_path([record for record in records if record])
    said = (done.err.strip() + "\n" + done.out.strip()).strip()
    if not kinds:
        return Attempt(MergeResult.REFUSED, output=said[-8000:])
    names = {onto: "main", change.commit: change.branch, "HEAD": "main"}
    found = [
        Conflict(path, kind, _hunks(worktree, path, names)) for path, kind in list(kinds.items())[:MAX_FILES]
    ]
    return Attempt(MergeResult.CONFLICT, conflicts=found, output=said[-8000:])


def _hunks(worktree: MergeWorktree, path: str, names: dict[str, str]) -> list[str]:
    where = join(worktree.path, path)
    found = worktree.host.call("stat", {"path": where})
    if not found["exists"] or found["is_dir"]:
        return []
    return hunks_of(str(worktree.host.call("read", {"path": where, "limit": 512 * 1024})["data"]), names)


def _result(
    worktree: MergeWorktree, onto: str, change: Change, strategy: Strategy, done: Completed
) -> Attempt:
    """The commit that the merge worktree stands at, if it is what was asked for."""
    words = ("log", "--no-walk", "--no-show-signature", "--format=%H %T %P", "HEAD")
    head, tree, *parents = git(worktree.host, worktree.path, *words).out.split()
    worktree.trees[head] = tree
    expected = {Strategy.MERGE: [onto, change.commit], Strategy.SQUASH: [onto]}.get(strategy)
    if head == onto:
        return _nothing_new(worktree, onto, change)
    if expected is not None and parents != expected:
        worktree.reset(onto)
        return Attempt(
            MergeResult.REFUSED, output=f"git made {head}, whose parents are {parents}.\n{done.err}"
        )
    return Attempt(MergeResult.CLEAN, commit=head, output=done.err.strip()[-2000:])
