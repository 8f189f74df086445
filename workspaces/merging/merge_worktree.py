"""The merge worktree: the worktree in which merges are tried and checked. It is kept and reused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from posixpath import join

from aitask.lib import untrusted_json
from workspaces.git.commands import GitError, expand, failure, git
from workspaces.git.locks import is_locked, retry_while_locked
from workspaces.git.repos import RepositoryPaths, git_dir_of, record_place
from workspaces.git.worktree_list import list_trees
from workspaces.git.worktrees import default_root
from workspaces.git.writing import Writer
from workspaces.hosts import Completed, HostConnection, HostError

MARK = "aitask-bench.json"
"In its git folder. The file keeps its old name, because worktrees of earlier versions have it."
STALE_LOCK = 3.0
"Seconds after which a lock in the merge worktree is stale: no other process works there."
LOCKS = ("index.lock", "HEAD.lock", "MERGE_HEAD.lock", "ORIG_HEAD.lock")


@dataclass(frozen=True)
class MergeWorktree:
    """The merge worktree of a repository, and the writer for it."""

    write: Writer
    repo: RepositoryPaths
    path: str
    git_dir: str
    trees: dict[str, str] = field(default_factory=dict)
    "Known trees, by commit."

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        if commit not in self.trees:
            args = ("rev-parse", "--verify", f"{commit}^{{tree}}")
            self.trees[commit] = git(self.host, self.path, *args).out.strip()
        return self.trees[commit]

    @property
    def host(self) -> HostConnection:
        return self.write.host

    def reset(self, commit: str) -> None:
        """Check out exactly this commit. Ignored files are kept, so that the next check is fast."""
        self._git_unlocked("checkout", "--quiet", "--force", "--detach", commit)
        self.write.git(self.path, "clean", "-ffdq")

    def recover(self, commit: str) -> None:
        """Abort what an earlier worker left in progress, then `reset`."""
        for verb in ("rebase", "cherry-pick", "revert"):
            self.write.git(self.path, verb, "--quit", check=False)
        self._git_unlocked("reset", "--quiet", "--hard", "HEAD")
        self.reset(commit)

    def prepare_submodules(self) -> str:
        """Fetch the submodules of HEAD; return why that failed, or an empty string."""
        if not self.host.exists(join(self.path, ".gitmodules")):
            return ""
        args = ("submodule", "--quiet", "update", "--init", "--recursive", "--force")
        done = self.write.git(self.path, *args, check=False)
        return f"The submodules could not be fetched: {done.err.strip()[:1000]}" if done.rc else ""

    def _git_unlocked(self, *args: str) -> None:
        """Run git, and remove stale locks of a killed git process if there are any."""

        def run() -> Completed:
            return self.write.git(self.path, *args, check=False)

        done = retry_while_locked(run, patience=STALE_LOCK)
        if is_locked(done):
            self.host.run(["rm", "-f", "--", *(join(self.git_dir, name) for name in LOCKS)])
            done = retry_while_locked(run)
        if done.rc:
            raise GitError(f"git {args[0]} failed in {self.path}: {done.err.strip()[:500]}")


def merge_worktree_path(host: HostConnection, place: RepositoryPaths, root: str, installation: str) -> str:
    """Return the path of an installation's merge worktree: a hidden folder next to the tasks' worktrees."""
    folder = expand(host, root) if root.strip() else default_root(place)
    return join(folder, f".merge-{installation}")


def open_merge_worktree(write: Writer, place: RepositoryPaths, path: str, commit: str) -> MergeWorktree:
    """Open or create the merge worktree at `path`. Raises GitError if something else is there."""
    git_dir = git_dir_of(write.host, path, place.common_dir)
    if git_dir and _is_ours(write.host, git_dir, place):
        record_place(write.host, path, git_dir, place.common_dir)
        return MergeWorktree(write, place, path, git_dir)
    if git_dir and not _has_branch(write, place, path):  # its creation was interrupted: no agent works there
        write.git(place.path, "worktree", "remove", "--force", "--force", "--", path, check=False)
    elif git_dir or write.host.exists(path):
        raise GitError(f"{path} exists, but the merge worktree belongs there.", "Move or remove that folder.")
    args = ("-c", "checkout.workers=0", "worktree", "add", "--quiet", "--force", "--force", "--detach")
    added = retry_while_locked(lambda: write.git(place.path, *args, "--", path, commit, check=False))
    if added.rc:
        raise failure(place.path, "worktree add", added)
    git_dir = git_dir_of(write.host, path, place.common_dir)
    if git_dir is None:
        raise GitError(f"git created the worktree {path}, but it can't be read.")
    record_place(write.host, path, git_dir, place.common_dir, is_new=True)
    mark = json.dumps({"repo": place.common_dir}) + "\n"
    write.host.call("write", {"path": join(git_dir, MARK), "data": mark})
    return MergeWorktree(write, place, path, git_dir)


def _has_branch(write: Writer, place: RepositoryPaths, path: str) -> bool:
    """Return whether a branch is checked out in the worktree at the path: the merge worktree has none."""
    return any(tree.branch for tree in list_trees(write.host, place.path) if tree.path == path)


def _is_ours(host: HostConnection, git_dir: str, place: RepositoryPaths) -> bool:
    try:
        mark = untrusted_json.loads(host.call("read", {"path": join(git_dir, MARK), "limit": 65536})["data"])
    except (HostError, ValueError):
        return False
    return bool(isinstance(mark, dict) and mark.get("repo") == place.common_dir)
