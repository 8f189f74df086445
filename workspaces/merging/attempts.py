"""Merge one branch onto a commit in the merge worktree: the result is a new commit, or why there is none."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from workspaces.git.commands import git
from workspaces.git.repos import contains
from workspaces.git.stacks import applied, starts_at
from workspaces.hosts import Completed
from workspaces.merging.conflicts import (
    MAX_FILES,
    Conflict,
    from_merge_tree,
    hunks_of,
    kinds_by_path,
    merge_tree_messages,
)
from workspaces.merging.merge_worktree import MergeWorktree
from workspaces.merging.quick import commit

CONFLICT = "CONFLICT ("
"How git begins its message about a conflict."


class Strategy(enum.StrEnum):
    """How a branch is merged into main."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class MergeResult(enum.StrEnum):
    CLEAN = "clean"
    ALREADY = "already"
    "Main contains its changes already."
    NOTHING = "nothing"
    "The branch has no changes."
    CONFLICT = "conflict"
    REFUSED = "refused"
    "git refused, because of a hook, a signature or a filter."


@dataclass(frozen=True)
class Change:
    """What to merge: a commit, where its branch started, and its names."""

    commit: str
    fork: str
    "The commit that the branch was created at; may be empty."
    branch: str
    message: str
    since: str = ""
    "The commit after which a stacked branch has commits of its own; empty if it is not stacked."
    options: tuple[str, ...] = ()
    "Options from the user's `branch.<main>.mergeOptions`."


@dataclass(frozen=True)
class Attempt:
    """The result. `commit` is the new tip of main if the verdict is clean."""

    verdict: MergeResult
    commit: str = ""
    conflicts: list[Conflict] = field(default_factory=list)
    output: str = ""


def onto_new_base(worktree: MergeWorktree, onto: str, change: Change) -> Change | Attempt:
    """Return the change with a stacked branch's own commits on `onto`, which has those below in another form.

    Such as squashed or amended. The same change if `onto` has them as they are; the attempt if it fails. HEAD
    of the merge worktree is `onto`.
    """
    host, path = worktree.host, worktree.path
    if not starts_at(host, path, onto, change.commit, change.since):
        return change
    args = ("-c", "rebase.updateRefs=false", "rebase", "--quiet", "--no-autostash", "--empty=drop")
    done = worktree.write.git(path, *args, "--onto", onto, change.since, change.commit, check=False)
    if done.rc:
        failed = _failure(worktree, onto, change, done)
        worktree.recover(onto)
        whole = _as_one_commit(worktree, onto, change)
        return replace(change, commit=whole, since="") if whole else failed
    head = git(host, path, "rev-parse", "HEAD").out.strip()
    fork = onto if change.since == change.commit else change.fork
    return replace(change, commit=head, fork=fork, since="")


def _as_one_commit(worktree: MergeWorktree, onto: str, change: Change) -> str:
    """Return a commit on `onto` with all that a stacked branch changes; empty if that conflicts.

    A conflict that was resolved by a merge in the branch stays resolved, unlike in a rebase.
    """
    tree = applied(worktree.write, worktree.path, change.since, change.commit, onto)
    return commit(worktree, tree, (onto,), change.message) if tree else ""


def foresee(
    worktree: MergeWorktree, onto: str, change: Change, strategy: Strategy, *, quick: bool
) -> Attempt | None:
    """Try the merge in memory; None if it has to be tried in the merge worktree.

    `quick` means that none of the user's git configuration would change the result: then a conflict is final,
    and a clean merge or squash is created in memory.
    """
    args = ("merge-tree", "--write-tree", "-z", onto, change.commit)
    done = git(worktree.host, worktree.path, *args, timeout=300, check=False)
    tree = done.out.split("\0")[0].strip()
    if done.rc == 0 and tree == worktree.tree_of(onto):
        return _nothing_new(worktree, onto, change)
    if done.rc == 0 and quick and strategy != Strategy.REBASE:
        parents = (onto,) if strategy == Strategy.SQUASH else (onto, change.commit)
        merged = commit(worktree, tree, parents, change.message)
        return Attempt(MergeResult.CLEAN, commit=merged)
    if done.rc == 1 and "\0" in done.out and quick and strategy != Strategy.REBASE:
        names = {onto: "main", change.commit: change.branch}
        found = from_merge_tree(worktree.host, worktree.path, done.out, names)
        return Attempt(MergeResult.CONFLICT, conflicts=found, output=merge_tree_messages(done.out, names))
    undecided = done.rc == 0 or not contains(worktree.host, worktree.path, onto, change.commit)
    return None if undecided else _nothing_new(worktree, onto, change)


def attempt(worktree: MergeWorktree, onto: str, change: Change, strategy: Strategy) -> Attempt:
    """Merge the change into the merge worktree, whose HEAD is `onto`. Reset it unless the result is clean."""
    done = STRATEGIES[strategy](worktree, onto, change)
    if done.rc:
        failed = _failure(worktree, onto, change, done)
        worktree.recover(onto)
        return failed
    return _result(worktree, onto, change, strategy, done)


def _nothing_new(worktree: MergeWorktree, onto: str, change: Change) -> Attempt:
    """Return whether main contains the changes already, or whether there are none."""
    base = git(worktree.host, worktree.path, "merge-base", onto, change.commit, check=False).out.strip()
    if base == change.commit:
        return Attempt(MergeResult.NOTHING if change.commit == change.fork else MergeResult.ALREADY)
    same = (
        git(worktree.host, worktree.path, "diff", "--quiet", base, change.commit, "--", check=False).rc == 0
    )
    return Attempt(MergeResult.NOTHING if base and same else MergeResult.ALREADY)


def _merge(worktree: MergeWorktree, _onto: str, change: Change) -> Completed:
    args = ("merge", *change.options, "--quiet", "--no-ff", "--no-edit", "--no-autostash")
    more = ("--cleanup=whitespace", "-m", change.message, change.commit)
    return worktree.write.with_hooks.git(worktree.path, *args, *more, check=False)


def _squash(worktree: MergeWorktree, _onto: str, change: Change) -> Completed:
    args = ("merge", *change.options, "--quiet", "--ff", "--squash", "--no-autostash")
    write = worktree.write.with_hooks
    done = write.git(worktree.path, *args, change.commit, check=False)
    if done.rc:
        return done
    commit = ("commit", "--quiet", "--cleanup=whitespace", "--file=-")
    return write.git(worktree.path, *commit, stdin=change.message, check=False)


def _rebase(worktree: MergeWorktree, onto: str, change: Change) -> Completed:
    args = ("-c", "rebase.updateRefs=false", "rebase", "--quiet", "--no-autostash", "--empty=drop")
    return worktree.write.with_hooks.git(worktree.path, *args, onto, change.commit, check=False)


STRATEGIES: dict[Strategy, Callable[[MergeWorktree, str, Change], Completed]] = {
    Strategy.MERGE: _merge,
    Strategy.SQUASH: _squash,
    Strategy.REBASE: _rebase,
}


def _failure(worktree: MergeWorktree, onto: str, change: Change, done: Completed) -> Attempt:
    records = git(worktree.host, worktree.path, "ls-files", "--unmerged", "-z").out.split("\0")
    kinds = kinds_by_path([record for record in records if record])
    output = (done.err.strip() + "\n" + done.out.strip()).strip()
    names = {onto: "main", change.commit: change.branch, "HEAD": "main"}
    if not kinds:
        unclear = _without_files(worktree, onto, change, names) if CONFLICT in output else []
        verdict = MergeResult.CONFLICT if unclear else MergeResult.REFUSED
        return Attempt(verdict, conflicts=unclear, output=output[-8000:])
    found = [
        Conflict(path, kind, _hunks(worktree, path, names)) for path, kind in list(kinds.items())[:MAX_FILES]
    ]
    return Attempt(MergeResult.CONFLICT, conflicts=found, output=output[-8000:])


def _without_files(
    worktree: MergeWorktree, onto: str, change: Change, names: dict[str, str]
) -> list[Conflict]:
    """Return the conflicts of a merge that leaves no unmerged files."""
    args = ("merge-tree", "--write-tree", "-z", onto, change.commit)
    done = git(worktree.host, worktree.path, *args, timeout=300, check=False)
    return from_merge_tree(worktree.host, worktree.path, done.out, names) if done.rc == 1 else []


def _hunks(worktree: MergeWorktree, path: str, names: dict[str, str]) -> list[str]:
    found = worktree.host.call("read_inside", {"folder": worktree.path, "name": path, "limit": 512 * 1024})
    return hunks_of(found["data"], names)


def _result(
    worktree: MergeWorktree, onto: str, change: Change, strategy: Strategy, done: Completed
) -> Attempt:
    """Return the HEAD of the merge worktree, if its parents are as expected."""
    args = ("log", "--no-walk", "--no-show-signature", "--format=%H %T %P", "HEAD")
    head, tree, *parents = git(worktree.host, worktree.path, *args).out.split()
    worktree.trees[head] = tree
    expected = {Strategy.MERGE: [onto, change.commit], Strategy.SQUASH: [onto]}.get(strategy)
    if head == onto:
        return _nothing_new(worktree, onto, change)
    if expected is not None and parents != expected:
        worktree.reset(onto)
        return Attempt(
            MergeResult.REFUSED, output=f"git created {head}, whose parents are {parents}.\n{done.err}"
        )
    return Attempt(MergeResult.CLEAN, commit=head, output=done.err.strip()[-2000:])
