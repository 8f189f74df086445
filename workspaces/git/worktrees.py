"""Worktrees of tasks: created once, found again, and never shared with anything else.

An intent in the repository's common folder records which worktree a task is about to get; a mark in the
worktree's git folder records that it is complete. A worktree without the mark, because the link or the
process ended meanwhile, is created again: no agent has worked in it.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from posixpath import basename, dirname, join
from typing import Any

from aitask.lib import untrusted_json
from workspaces.git.commands import GitError, expand, failure, git
from workspaces.git.locks import is_locked, retry_while_locked
from workspaces.git.repos import (
    RepositoryPaths,
    base_commit,
    base_names,
    git_dir_of,
    locate,
    record_place,
    refs,
    status,
)
from workspaces.git.worktree_list import Tree, list_trees
from workspaces.hosts import Completed, HostConnection, HostError

MARK = "aitask.json"
CHECKOUT_SECONDS = 300.0
SUBMODULE_SECONDS = 180.0
MAX_NAMES = 50
_locks: dict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


@dataclass(frozen=True)
class Worktree:
    """The worktree of a task."""

    repo: str
    "Top folder of its repository."
    path: str
    branch: str
    base_commit: str
    git_dir: str
    common_dir: str
    created: bool
    "False if it existed before."
    new_branch: bool = False
    "Whether its branch was created with it, at `base_commit`."
    notices: tuple[str, ...] = ()
    "Warnings for the user, for example about submodules that could not be fetched."


def add_worktree(
    host: HostConnection,
    *,
    repo: str,
    root: str,
    name: str,
    branch: str,
    base: str,
    owner_mark: Mapping[str, Any],
    known: Known | None = None,
) -> Worktree:
    """Return the worktree of the task in `owner_mark` ({installation, task}); create it if there is none.

    The task is named by its key on hosts. `root` is the parent folder, empty for `<repo>.worktrees`. If a
    folder or branch of this name exists and is not the task's, -2, -3 … is appended to both names. `known` is
    the worktree that the task had last: its branch is never replaced by a new one while it exists.
    Raises GitError and HostError.
    """
    place = locate(host, repo)
    folder = expand(host, root) if root.strip() else default_root(place)
    with _locks[host.key, place.common_dir]:
        claim = _Claim(host, place, dict(owner_mark))
        found = claim.existing() or (claim.adopt(known) if known else None)
        if found is None and known and claim.has_branch(known.branch):
            found = claim.check_out_branch(join(folder, name), known)
        return found or claim.create(join(folder, name), branch, base)


def adopt_worktree(
    host: HostConnection, *, repo: str, known: Known, owner_mark: Mapping[str, Any]
) -> Worktree | None:
    """Record an existing worktree as the one of the task in `owner_mark`; None if it is somebody else's."""
    place = locate(host, repo)
    with _locks[host.key, place.common_dir]:
        return _Claim(host, place, dict(owner_mark)).adopt(known)


@dataclass(frozen=True)
class Known:
    """A worktree as a task's row has it."""

    path: str
    branch: str
    base_commit: str


def default_root(repo: RepositoryPaths) -> str:
    """Return `<repo>.worktrees`, next to the repository."""
    path = dirname(repo.path) if basename(repo.path) == ".git" else repo.path
    return f"{path}.worktrees"


class _Claim:
    """One task's claim to a worktree of one repository."""

    def __init__(self, host: HostConnection, repo: RepositoryPaths, mark: dict[str, Any]) -> None:
        self.host = host
        self.repo = repo
        self.mark = mark
        self.intent_path = join(repo.common_dir, "aitask", f"{mark['installation']}-{mark['task']}.json")

    def existing(self) -> Worktree | None:
        """Return the worktree of an earlier call. Create a removed one again; remove an incomplete one."""
        intent = self._read(self.intent_path)
        if not intent:
            return None
        tree = self._tree(intent["path"], intent["branch"], intent["base_commit"])
        git_dir = self._git_dir(tree.path)
        has_branch = self._has_branch_checked_out(tree)
        if git_dir and (self._is_ours(self._mark_in(git_dir)) or (has_branch and intent.get("complete"))):
            return self._recorded(tree, git_dir)
        if git_dir and has_branch:
            self._clear(tree)
            return None
        if not self.has_branch(tree.branch):
            return None
        if has_branch or not self._is_taken(tree.path):
            return self._check_out(tree, "--force", tree.path, tree.branch)
        return self.check_out_branch(tree.path, Known(tree.path, tree.branch, tree.base_commit))

    def adopt(self, known: Known) -> Worktree | None:
        """Claim a worktree that has its branch checked out; None if it is gone or somebody else's."""
        tree = self._tree(known.path, known.branch, known.base_commit)
        git_dir = self._git_dir(tree.path)
        if not git_dir or git_dir == self.repo.common_dir or not self._has_branch_checked_out(tree):
            return None
        mark = self._mark_in(git_dir)
        if mark and mark.get("installation") != self.mark["installation"]:
            return None
        return self._recorded(tree, git_dir)

    def check_out_branch(self, path: str, known: Known) -> Worktree:
        """Create a worktree for an existing branch under the first unused name of a folder."""
        for suffix in _suffixes():
            if not self._is_taken(path + suffix):
                tree = self._tree(path + suffix, known.branch, known.base_commit)
                return self._check_out(tree, tree.path, tree.branch)
        raise _no_name_left(path)

    def create(self, path: str, branch: str, base: str) -> Worktree:
        """Create a worktree and a branch under the first unused name."""
        taken = self._branches("refs/heads", *base_names(base))
        commit = base_commit(self.host, self.repo.path, base, taken)
        branch = _possible_name(branch, taken)
        for suffix in _suffixes():
            tree = self._tree(path + suffix, branch + suffix, commit)
            if _is_branch_taken(tree.branch, taken) or self._is_taken(tree.path):
                continue
            self._save_intent(tree, complete=False)
            created = self._check_out(tree, "--no-track", "-b", tree.branch, tree.path, commit)
            return replace(created, new_branch=True)
        raise _no_name_left(path)

    def _check_out(self, tree: Worktree, *args: str) -> Worktree:
        done = retry_while_locked(lambda: self._add(tree, *args))
        git_dir = self._git_dir(tree.path)
        notices = self._hook_failed(tree, done) if done.rc and git_dir else ()
        if done.rc and not notices:
            raise failure(self.repo.path, "worktree add", done)
        if git_dir is None:
            raise GitError(f"git created the worktree {tree.path}, but it can't be read.")
        record_place(self.host, tree.path, git_dir, self.repo.common_dir, is_new=True)
        notices += self._submodules(tree.path)
        self._write(join(git_dir, MARK), self.mark)
        self._save_intent(tree, complete=True)
        return replace(tree, git_dir=git_dir, created=True, notices=notices)

    def _recorded(self, tree: Worktree, git_dir: str) -> Worktree:
        """Return a worktree that exists, after marking it as the task's."""
        record_place(self.host, tree.path, git_dir, self.repo.common_dir)
        if not self._is_ours(self._mark_in(git_dir)):
            self._write(join(git_dir, MARK), self.mark)
        self._save_intent(tree, complete=True)
        return replace(tree, git_dir=git_dir)

    def _hook_failed(self, tree: Worktree, done: Completed) -> tuple[str, ...]:
        """Return a warning if git has created the worktree completely, and only a hook failed afterwards."""
        record_place(self.host, tree.path, self._git_dir(tree.path) or "", self.repo.common_dir, is_new=True)
        try:
            found = status(self.host, tree.path)
        except (GitError, HostError):
            return ()
        if found.branch != tree.branch or not found.head or found.changed:
            return ()
        said = " ".join(done.err.split())[-500:]
        return (f"git created the worktree, but a hook failed afterwards (status {done.rc}): {said}",)

    def _add(self, tree: Worktree, *args: str) -> Completed:
        add = ("worktree", "add", *args)
        done = git(self.host, self.repo.path, *add, timeout=CHECKOUT_SECONDS, check=False, hooks=True)
        if is_locked(done) and "-b" in args:
            self._clear(tree)  # git may have created the branch before it met the lock
        return done

    def _submodules(self, path: str) -> tuple[str, ...]:
        """Fetch the submodules as far as the user's git settings allow; return warnings."""
        if not self.host.exists(join(path, ".gitmodules")):
            return ()
        args = ("submodule", "update", "--init", "--recursive")
        try:
            git(self.host, path, *args, timeout=SUBMODULE_SECONDS)
        except (GitError, HostError) as error:
            if isinstance(error, HostError) and error.code != "timeout_remote":
                raise
            return (f"The submodules could not be fetched: {error.reason}",)
        return ()

    def _clear(self, tree: Worktree) -> None:
        """Remove an incomplete worktree, and its branch if that has no commits of its own.

        A registration with another branch or commit is somebody else's, even if its folder is missing.
        """
        if self._has_branch_checked_out(tree):
            self._git_unlocked("worktree", "remove", "--force", "--force", tree.path)
        self._git_unlocked("update-ref", "-d", f"refs/heads/{tree.branch}", tree.base_commit)

    def _git_unlocked(self, *args: str) -> None:
        retry_while_locked(lambda: git(self.host, self.repo.path, *args, check=False))

    def _registered(self, path: str) -> Tree | None:
        """Return the worktree that git knows at the path, although its folder may be missing."""
        return next((tree for tree in list_trees(self.host, self.repo.path) if tree.path == path), None)

    def _has_branch_checked_out(self, tree: Worktree) -> bool:
        found = self._registered(tree.path)
        return found is not None and found.branch == f"refs/heads/{tree.branch}"

    def _is_taken(self, path: str) -> bool:
        return self.host.exists(path) or self._registered(path) is not None

    def has_branch(self, branch: str) -> bool:
        return f"refs/heads/{branch}" in self._branches(f"refs/heads/{branch}")

    def _branches(self, *patterns: str) -> dict[str, str]:
        return refs(self.host, self.repo.path, *patterns)

    def _mark_in(self, git_dir: str) -> dict[str, Any] | None:
        return self._read(join(git_dir, MARK))

    def _git_dir(self, path: str) -> str | None:
        """Return the worktree's git folder; None if the repository has no worktree at the path."""
        return git_dir_of(self.host, path, self.repo.common_dir)

    def _is_ours(self, mark: Mapping[str, Any] | None) -> bool:
        return mark is not None and all(mark.get(name) == value for name, value in self.mark.items())

    def _tree(self, path: str, branch: str, commit: str) -> Worktree:
        return Worktree(self.repo.path, path, branch, commit, "", self.repo.common_dir, created=False)

    def _save_intent(self, tree: Worktree, *, complete: bool) -> None:
        intent = {"path": tree.path, "branch": tree.branch, "base_commit": tree.base_commit}
        self._write(self.intent_path, {**intent, "complete": complete})

    def _read(self, path: str) -> dict[str, Any] | None:
        try:
            content = untrusted_json.loads(self.host.call("read", {"path": path})["data"])
        except HostError as error:
            if error.code == "not_found":
                return None
            raise
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    def _write(self, path: str, content: Mapping[str, Any]) -> None:
        self.host.call("write", {"path": path, "data": json.dumps(content) + "\n"})


def _is_branch_taken(branch: str, taken: Iterable[str]) -> bool:
    """Return whether a branch can't be created: git keeps branches as files, whose parents are folders."""
    name = f"refs/heads/{branch}"
    return any(
        known == name or known.startswith(f"{name}/") or name.startswith(f"{known}/") for known in taken
    )


def _possible_name(branch: str, taken: Iterable[str]) -> str:
    """Return the name without `/` if there is a branch in place of its folder, as `aitask` for `aitask/7`."""
    parents = {f"refs/heads/{parent}" for parent in PurePosixPath(branch).parents}
    return branch.replace("/", "-") if parents.intersection(taken) else branch


def _no_name_left(path: str) -> GitError:
    return GitError(f"All names from {path} to {path}-{MAX_NAMES} are taken.", "Remove old worktrees.")


def _suffixes() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in range(2, MAX_NAMES + 1))
