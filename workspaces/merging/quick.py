"""Merges in memory, if none of the user's git configuration would change what `git merge` does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from posixpath import join

from workspaces.git.commands import git
from workspaces.merging.merge_worktree import MergeWorktree

HOOKS = ("pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-merge")
COMMIT_HOOKS = ("pre-commit", "post-commit")
"Hooks that git runs for the commit of a squash, in addition."
SETTINGS = (
    r"^(commit\.gpgsign|merge\.(verifysignatures|log|renormalize|.*\.driver|default)"
    r"|core\.(attributesfile|hookspath)|i18n\..*|branch\..*\.mergeoptions)$"
)
ATTRIBUTES = (":(glob)**/.gitattributes",)
MERGE_ATTRIBUTES = r"merge|binary|\[attr\]"
"Attributes that change the result of a merge."
OVERRIDDEN = {
    "--ff",
    "--no-ff",
    "--ff-only",
    "--squash",
    "--no-squash",
    "--commit",
    "--no-commit",
    "--edit",
    "-e",
}


def is_plain(worktree: MergeWorktree, onto: str, commits: Sequence[str], *, squash: bool) -> bool:
    """Return whether no hook, signature, driver or attribute affects the merge of these commits."""
    args = ("config", "--get-regexp", SETTINGS)
    if git(worktree.host, worktree.path, *args, check=False, hooks=True).out.strip():
        return False
    find = ("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    hooks = git(worktree.host, worktree.path, *find, hooks=True).out.strip()
    names = (*HOOKS, *COMMIT_HOOKS) if squash else HOOKS
    paths = [*(join(hooks, name) for name in names), join(worktree.repo.common_dir, "info", "attributes")]
    if any(worktree.host.exists(path) for path in paths):
        return False
    return not (_has_merge_attributes(worktree, onto) or _change_attributes(worktree, onto, commits))


def _has_merge_attributes(worktree: MergeWorktree, onto: str) -> bool:
    args = ("grep", "--quiet", "-E", "-e", MERGE_ATTRIBUTES, onto, "--", *ATTRIBUTES)
    return git(worktree.host, worktree.path, *args, check=False).rc == 0


def _change_attributes(worktree: MergeWorktree, onto: str, commits: Sequence[str]) -> bool:
    """Return whether one of the commits changes attributes, which would apply to later merges."""
    args = ("rev-list", "--max-count=1", *commits, "--not", onto, "--", *ATTRIBUTES)
    done = git(worktree.host, worktree.path, *args, check=False)
    return bool(done.rc or done.out.strip())


def merge_options(worktree: MergeWorktree, branch: str) -> tuple[str, ...]:
    """Return the configured options of merges into this branch, without those that the merge train sets."""
    done = git(worktree.host, worktree.path, "config", "--get", f"branch.{branch}.mergeOptions", check=False)
    try:
        return tuple(option for option in shlex.split(done.out) if option not in OVERRIDDEN)
    except ValueError:
        return ()


def commit(worktree: MergeWorktree, tree: str, parents: Sequence[str], message: str) -> str:
    """Create a commit of an existing tree."""
    args = ("commit-tree", *(part for parent in parents for part in ("-p", parent)), "-F", "-", tree)
    merged = worktree.write.git(worktree.path, *args, stdin=message).out.strip()
    worktree.trees[merged] = tree
    return merged
