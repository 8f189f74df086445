"""Merge commits made in memory, where nothing in the person's set-up would make `git merge` do otherwise."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from posixpath import join

from workspaces.git.commands import git
from workspaces.merging.merge_worktree import MergeWorktree

HOOKS = ("pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-merge")
SETTINGS = (
    r"^(commit\.gpgsign|merge\.(verifysignatures|log|renormalize|.*\.driver|default)"
    r"|core\.(attributesfile|hookspath)|i18n\..*|branch\..*\.mergeoptions)$"
)
ATTRIBUTES = (":(glob)**/.gitattributes",)
SAY = r"merge|binary|\[attr\]"
"Words of an attributes file that change how a merge is made."
OURS = {"--ff", "--no-ff", "--ff-only", "--squash", "--no-squash", "--commit", "--no-commit", "--edit", "-e"}


def is_plain(worktree: MergeWorktree, onto: str, commits: Sequence[str]) -> bool:
    """Whether no hook, signature, merge driver or attribute has a say in merging these commits."""
    if git(worktree.host, worktree.path, "config", "--get-regexp", SETTINGS, check=False).out.strip():
        return False
    hooks = git(
        worktree.host, worktree.path, "rev-parse", "--path-format=absolute", "--git-path", "hooks"
    ).out.strip()
    places = [*(join(hooks, name) for name in HOOKS), join(worktree.repo.common_dir, "info", "attributes")]
    if any(worktree.host.exists(place) for place in places):
        return False
    return not (_attributes_say(worktree, onto) or _brings_attributes(worktree, onto, commits))


def _attributes_say(worktree: MergeWorktree, onto: str) -> bool:
    words = ("grep", "--quiet", "-E", "-e", SAY, onto, "--", *ATTRIBUTES)
    return git(worktree.host, worktree.path, *words, check=False).rc == 0


def _brings_attributes(worktree: MergeWorktree, onto: str, commits: Sequence[str]) -> bool:
    """Whether one of the commits brings attributes, which later merges must heed."""
    words = ("rev-list", "--max-count=1", *commits, "--not", onto, "--", *ATTRIBUTES)
    done = git(worktree.host, worktree.path, *words, check=False)
    return bool(done.rc or done.out.strip())


def merge_options(worktree: MergeWorktree, branch: str) -> tuple[str, ...]:
    """What `git merge` adds by itself where this branch is checked out; the train says how to merge."""
    done = git(worktree.host, worktree.path, "config", "--get", f"branch.{branch}.mergeOptions", check=False)
    try:
        return tuple(word for word in shlex.split(done.out) if word not in OURS)
    except ValueError:
        return ()


def commit(worktree: MergeWorktree, tree: str, parents: tuple[str, str], message: str) -> str:
    """A merge commit of a tree that is there already."""
    words = ("commit-tree", "-p", parents[0], "-p", parents[1], "-F", "-", tree)
    made = worktree.write.git(worktree.path, *words, stdin=message).out.strip()
    worktree.trees[made] = tree
    return made
