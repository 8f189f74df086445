"""Removes a worktree and its branch after saving a rescue ref and a patch, so that nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from posixpath import join
from uuid import uuid4

from aitask.lib.shell import command_line
from tasks.repository import Site
from workspaces.git import git
from workspaces.git.commands import GitError
from workspaces.git.locks import retry_while_locked
from workspaces.git.nested import keep_nested
from workspaces.git.repos import branch_tip, contains, refs, status
from workspaces.git.rescue import (
    IgnoredFiles,
    keep,
    keep_ignored,
    keep_reflogs,
    rescue_path,
    save_patch,
    snapshot,
)
from workspaces.git.worktree_list import Tree, list_trees
from workspaces.hostkit.escapes import visible


@dataclass(frozen=True)
class Rescued:
    """Where removed work was saved; the fields are empty if there was none."""

    commit: str = ""
    ref: str = ""
    patch: str = ""
    ignored: IgnoredFiles = field(default_factory=IgnoredFiles)

    @property
    def summary(self) -> str:
        """What was kept and what was not, for the user."""
        parts = ["A rescue ref keeps the work."]
        if self.ignored.archive:
            parts.append(f"Files that git ignores are in {self.ignored.archive}.")
        if self.ignored.too_large:
            names = ", ".join(map(visible, self.ignored.too_large[:5]))
            parts.append(f"Too large to be kept, and removed: {names}.")
        return " ".join(parts)


def remove_tree(
    site: Site,
    *,
    owner: int | str,
    path: str,
    branch: str,
    base: str = "",
    intent: str = "",
    careful: bool = False,
) -> Rescued:
    """Remove a worktree (uncommitted work included) and its branch. Raises GitError and HostError.

    Ignored files are kept up to a limit. With `careful`, larger ones prevent the removal.

    May be repeated: missing parts are skipped. The main worktree and locked ones are refused.
    """
    if branch and branch == site.branch:
        raise GitError(f"{branch} is the base branch and is not removed.")
    tree = _find(site, path)
    tip = branch_tip(site.host, site.place.path, branch)
    commit = (_commit_with_all_work(site, tree) if tree else "") or tip
    rescued = _rescue(site, owner, commit, base) if commit else Rescued()
    if tip and not contains(site.host, site.place.path, commit, tip):
        keep(site.write, site.place.path, owner, tip, "branch")  # the worktree has another branch checked out
    if tree:
        keep_reflogs(site.write, site.place.path, tree.path, branch, owner)
        keep_nested(site.write, site.place.path, tree.path, owner)
        rescued = replace(rescued, ignored=_keep_ignored(site, tree, owner, careful=careful))
        _remove(site, tree)
    if tip:
        _delete_branch(site, branch)
    if intent:
        record = join(site.place.common_dir, "aitask", f"{intent}.json")
        site.host.run(["rm", "-f", "--", record], check=False)
    return rescued


def _find(site: Site, path: str) -> Tree | None:
    """Return the worktree at the path; None if missing. Raises GitError if it must not be removed."""
    tree = next((tree for tree in list_trees(site.host, site.place.path) if tree.path == path), None)
    if tree is None or tree.prunable:
        return None
    if tree.is_main:
        raise GitError(
            f"{path} is the main worktree of the repository.", "Only its other worktrees can be removed."
        )
    if tree.locked is not None:
        why = f": {tree.locked}" if tree.locked else "."
        raise GitError(
            f"The worktree {path} is locked{why}",
            f"Unlock it on the host: {command_line('git', 'worktree', 'unlock', path)}",
        )
    return tree


def _commit_with_all_work(site: Site, tree: Tree) -> str:
    """Return a commit with all work: HEAD, or a new commit that includes uncommitted changes."""
    found = status(site.host, tree.path)
    if found.clean:
        return tree.head
    if not found.head:
        raise GitError(f"{tree.path} has files but no commit.", "Save the files, then remove it yourself.")
    index = join(str(site.host.hello()["state_dir"]), "rescued", f"index-{uuid4().hex[:12]}")
    site.host.run(["mkdir", "-p", "-m", "700", "--", index.rpartition("/")[0]])
    try:
        return snapshot(site.write, tree.path, index, found.hidden)
    finally:
        site.host.run(["rm", "-f", "--", index], check=False)


def _keep_ignored(site: Site, tree: Tree, owner: int | str, *, careful: bool) -> IgnoredFiles:
    original = "" if site.place.bare else site.place.path
    found = keep_ignored(site.host, tree.path, original, rescue_path(site.host, owner, "ignored.tar.gz"))
    if careful and found.too_large:
        names = ", ".join(map(visible, found.too_large[:5]))
        raise GitError(
            f"{tree.path} has ignored files that are too large to be kept: {names}.",
            "Move them to keep them, or delete them.",
            code="too_large",
        )
    return found


def _rescue(site: Site, owner: int | str, commit: str, base: str) -> Rescued:
    ref = keep(site.write, site.place.path, owner, commit)
    start = _base(site, commit, base)
    patch = ""
    if start and start != commit:
        patch = rescue_path(site.host, owner, "patch")
        save_patch(site.host, site.place.path, start, commit, patch)
    return Rescued(commit, ref, patch)


def _base(site: Site, commit: str, base: str) -> str:
    known = base and git(site.host, site.place.path, "cat-file", "-e", base, check=False).rc == 0
    if known:
        return base
    args = ("merge-base", site.mainline.ref, commit)
    return git(site.host, site.place.path, *args, check=False).out.strip()


def _remove(site: Site, tree: Tree) -> None:
    """Remove the worktree; `--force` because submodules and ignored files would prevent it."""
    args = ("worktree", "remove", "--force", "--", tree.path)
    done = retry_while_locked(lambda: site.write.git_to_its_end(site.place.path, *args))
    if done.rc:
        raise GitError(f"git could not remove {tree.path}: {done.err.strip()[-500:]}")


def _delete_branch(site: Site, branch: str) -> None:
    args = ("branch", "--quiet", "-D", "--", branch)
    done = site.write.git_to_its_end(site.place.path, *args)
    if done.rc and f"refs/heads/{branch}" in refs(site.host, site.place.path, f"refs/heads/{branch}"):
        raise GitError(f"git could not remove the branch {branch}: {done.err.strip()[-500:]}")
