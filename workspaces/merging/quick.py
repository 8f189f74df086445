"""Merge commits made in memory, where nothing in the person's set-up would make `git merge` do otherwise."""

from __future__ import annotations

from posixpath import join

from workspaces.git.commands import git
from workspaces.merging.bench import Bench

HOOKS = ("pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-merge")
SETTINGS = (
    r"^(commit\.gpgsign|merge\.(verifysignatures|log|.*\.driver|default)|core\.attributesfile|i18n\..*)$"
)


def is_plain(bench: Bench, onto: str) -> bool:
    """Whether no hook, signature, merge driver or attribute has a say in merges of this repository."""
    if git(bench.host, bench.path, "config", "--get-regexp", SETTINGS, check=False).out.strip():
        return False
    hooks = git(
        bench.host, bench.path, "rev-parse", "--path-format=absolute", "--git-path", "hooks"
    ).out.strip()
    if any(bench.host.call("stat", {"path": join(hooks, name)})["exists"] for name in HOOKS):
        return False
    if bench.host.call("stat", {"path": join(bench.repo.common_dir, "info", "attributes")})["exists"]:
        return False
    listed = git(bench.host, bench.path, "ls-tree", "-r", "-z", "--name-only", onto).out
    return not any(path.rpartition("/")[2] == ".gitattributes" for path in listed.split("\0"))


def brings_attributes(bench: Bench, tree: str) -> bool:
    """Whether a merge brings the first .gitattributes, which later merges must heed."""
    return bool(git(bench.host, bench.path, "ls-tree", "--name-only", tree, ".gitattributes").out)


def commit(bench: Bench, tree: str, parents: tuple[str, str], message: str) -> str:
    """A merge commit of a tree that is there already."""
    words = ("commit-tree", "-p", parents[0], "-p", parents[1], "-F", "-", tree)
    made = bench.write.git(bench.path, *words, stdin=message).out.strip()
    bench.trees[made] = tree
    return made
