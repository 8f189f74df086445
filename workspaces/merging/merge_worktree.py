"""The merge worktree: a worktree of our own in which merges are tried and checked. Kept for the next time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from posixpath import isabs, join, normpath

from workspaces.git.commands import GitError, expand, git
from workspaces.git.locks import is_locked, retry_while_locked
from workspaces.git.repos import RepositoryPaths
from workspaces.git.worktrees import default_root
from workspaces.git.writing import Writer
from workspaces.hosts import Completed, HostConnection, HostError

MARK = "aitask-bench.json"
"In its git folder; the name dates from when the merge worktree was called bench."
STALE_LOCK = 3.0
"Seconds after which a lock in the merge worktree was left by a git that was ended: nobody else works there."
NO_RECURSION = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "submodule.recurse",
    "GIT_CONFIG_VALUE_0": "false",
}
"Submodules are fetched for a check alone, by `prepare_submodules`."
NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
"For checkouts of ours: who merges by hand makes none, so that no post-checkout hook has a say."
LOCKS = ("index.lock", "HEAD.lock", "MERGE_HEAD.lock", "ORIG_HEAD.lock")


@dataclass(frozen=True)
class MergeWorktree:
    """The worktree with its writer."""

    write: Writer
    repo: RepositoryPaths
    path: str
    git_dir: str
    trees: dict[str, str] = field(default_factory=dict)
    "The trees of commits that were made here."

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        if commit not in self.trees:
            words = ("rev-parse", "--verify", f"{commit}^{{tree}}")
            self.trees[commit] = git(self.host, self.path, *words).out.strip()
        return self.trees[commit]

    @property
    def host(self) -> HostConnection:
        return self.write.host

    def reset(self, commit: str) -> None:
        """Exactly this commit; what git ignores stays, so that the next check is quick."""
        self._insist("checkout", "--quiet", "--force", "--detach", commit)
        self.write.git(self.path, "clean", "-ffdq")

    def recover(self, commit: str) -> None:
        """`reset`, after whatever an earlier worker was in the middle of."""
        for verb in ("rebase", "cherry-pick", "revert"):
            self.write.git(self.path, verb, "--quit", check=False)
        self._insist("reset", "--quiet", "--hard", "HEAD")
        self.reset(commit)

    def prepare_submodules(self) -> str:
        """Fetch the submodules of the present commit; empty, or why that did not work."""
        if not self.host.exists(join(self.path, ".gitmodules")):
            return ""
        words = ("submodule", "--quiet", "update", "--init", "--recursive", "--force")
        done = self.write.git(self.path, *words, check=False)
        return f"The submodules could not be fetched: {done.err.strip()[:1000]}" if done.rc else ""

    def _insist(self, *words: str) -> None:
        """A git that was ended in the merge worktree may have left its lock there."""

        def run() -> Completed:
            return self.write.git(self.path, *NO_HOOKS, *words, check=False)

        done = retry_while_locked(run, patience=STALE_LOCK)
        if is_locked(done):
            self.host.run(["rm", "-f", "--", *(join(self.git_dir, name) for name in LOCKS)])
            done = retry_while_locked(run)
        if done.rc:
            raise GitError(f"git {words[0]} failed in {self.path}: {done.err.strip()[:500]}")


def merge_worktree_path(host: HostConnection, place: RepositoryPaths, root: str, installation: str) -> str:
    """Where the merge worktree of an installation lies: a hidden folder among the worktrees of the tasks."""
    folder = expand(host, root) if root.strip() else default_root(place)
    return join(folder, f".merge-{installation}")


def open_merge_worktree(write: Writer, place: RepositoryPaths, path: str, commit: str) -> MergeWorktree:
    """Open or create the merge worktree at `path`. Raises GitError when something else is there."""
    write = Writer(write.host, {**write.environment, **NO_RECURSION})
    git_dir = _git_dir(write.host, path)
    if git_dir and _is_ours(write.host, git_dir, place):
        return MergeWorktree(write, place, path, git_dir)
    if git_dir and normpath(git_dir).startswith(join(place.common_dir, "worktrees") + "/"):
        write.git(place.path, "worktree", "remove", "--force", "--force", "--", path, check=False)
    elif write.host.exists(path):
        raise GitError(f"{path} is in the way: merges are tried there.", "Move or remove that folder.")
    words = (
        *NO_HOOKS,
        "-c",
        "checkout.workers=0",
        "worktree",
        "add",
        "--quiet",
        "--force",
        "--force",
        "--detach",
    )
    write.git(place.path, *words, "--", path, commit)
    git_dir = _git_dir(write.host, path)
    if git_dir is None:
        raise GitError(f"git made the worktree {path}, but it can't be read.")
    mark = json.dumps({"repo": place.common_dir}) + "\n"
    write.host.call("write", {"path": join(git_dir, MARK), "data": mark})
    return MergeWorktree(write, place, path, git_dir)


def _is_ours(host: HostConnection, git_dir: str, place: RepositoryPaths) -> bool:
    try:
        mark = json.loads(host.call("read", {"path": join(git_dir, MARK), "limit": 65536})["data"])
    except (HostError, ValueError):
        return False
    head = git(host, place.path, f"--git-dir={git_dir}", "rev-parse", "--git-common-dir", check=False)
    return bool(mark.get("repo") == place.common_dir and not head.rc)


def _git_dir(host: HostConnection, path: str) -> str | None:
    """The merge worktree's own git folder; None when there is no worktree at the path."""
    try:
        link = str(host.call("read", {"path": join(path, ".git"), "limit": 4096})["data"])
    except HostError as error:
        if error.code in {"not_found", "remote_failed"}:
            return None
        raise
    target = link.removeprefix("gitdir:").strip()
    return target if isabs(target) else normpath(join(path, target))
