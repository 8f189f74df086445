"""Worktrees of tasks: created once, found again, and never shared with anything else.

An intent in the repository's common folder records which worktree a task is about to get; a mark in the
worktree's git folder records that it is complete. A worktree without the mark, because the link or the
process ended meanwhile, is created again: no agent has worked in it.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
)
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
) -> Worktree:
    """Return the worktree of the task in `owner_mark` ({installation, task}); create it if there is none.

    The task is named by its key on hosts. `root` is the parent folder, empty for `<repo>.worktrees`. If a
    folder or branch of this name exists and is not the task's, -2, -3 … is appended to both names.
    Raises GitError and HostError.
    """
    place = locate(host, repo)
    folder = expand(host, root) if root.strip() else default_root(place)
    with _locks[host.key, place.common_dir]:
        claim = _Claim(host, place, dict(owner_mark))
        return claim.existing() or claim.create(join(folder, name), branch, base)


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
        if git_dir and self._is_ours(self._read(join(git_dir, MARK))):
            record_place(self.host, tree.path, git_dir, self.repo.common_dir)
            return replace(tree, git_dir=git_dir)
        if git_dir is None and self._branches(tree.branch):
            return self._check_out(tree, "--force", tree.path, tree.branch)
        if not intent.get("complete"):
            self._clear(tree)
        return None

    def create(self, path: str, branch: str, base: str) -> Worktree:
        """Create a worktree under the first unused name."""
        taken = self._branches(branch, f"{branch}-*", *base_names(base))
        commit = base_commit(self.host, self.repo.path, base, taken)
        for suffix in _suffixes():
            tree = self._tree(path + suffix, branch + suffix, commit)
            if f"refs/heads/{tree.branch}" in taken or self.host.exists(tree.path):
                continue
            self._save_intent(tree, complete=False)
            return self._check_out(tree, "--no-track", "-b", tree.branch, tree.path, commit)
        raise GitError(f"All names from {path} to {path}-{MAX_NAMES} are taken.", "Remove old worktrees.")

    def _check_out(self, tree: Worktree, *args: str) -> Worktree:
        done = retry_while_locked(lambda: self._add(tree, *args))
        if done.rc:
            raise failure(self.repo.path, "worktree add", done)
        git_dir = self._git_dir(tree.path)
        if git_dir is None:
            raise GitError(f"git created the worktree {tree.path}, but it can't be read.")
        record_place(self.host, tree.path, git_dir, self.repo.common_dir, is_new=True)
        created = replace(tree, git_dir=git_dir, created=True, notices=self._submodules(tree.path))
        self._write(join(git_dir, MARK), self.mark)
        self._save_intent(tree, complete=True)
        return created

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
        """Remove an incomplete worktree, and its branch if that has no commits of its own."""
        git(self.host, self.repo.path, "worktree", "remove", "--force", "--force", tree.path, check=False)
        git(self.host, self.repo.path, "worktree", "prune", check=False)
        args = ("update-ref", "-d", f"refs/heads/{tree.branch}", tree.base_commit)
        git(self.host, self.repo.path, *args, check=False)

    def _branches(self, *names: str) -> dict[str, str]:
        patterns = (name if name.startswith("refs/") else f"refs/heads/{name}" for name in names)
        return refs(self.host, self.repo.path, *patterns)

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


def _suffixes() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in range(2, MAX_NAMES + 1))
