"""Remove a worktree and its branch so that nothing is lost: a rescue ref and a patch come first."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import join
from uuid import uuid4

from tasks.repository import Site
from workspaces.git import git
from workspaces.git.commands import GitError
from workspaces.git.locks import retry_while_locked
from workspaces.git.nested import keep_nested
from workspaces.git.repos import branch_tip, contains, refs, status
from workspaces.git.rescue import keep, patch_path, save_patch, snapshot
from workspaces.git.worktree_list import Tree, list_trees


@dataclass(frozen=True)
class Rescued:
    """Where removed work is found again; empty fields when there was none."""

    commit: str = ""
    ref: str = ""
    patch: str = ""


def remove_tree(
    site: Site, *, owner: int | str, path: str, branch: str, base: str = "", intent: str = ""
) -> Rescued:
    """Remove a worktree (uncommitted work included) and its branch. Raises GitError and HostError.

    May be repeated: what is gone already is passed over. The main worktree and a locked one are refused.
    """
    if branch and branch == site.branch:
        raise GitError(f"{branch} is what everything is merged into: it is not removed.")
    tree = _find(site, path)
    tip = branch_tip(site.host, site.place.path, branch)
    commit = (_everything(site, tree) if tree else "") or tip
    rescued = _rescue(site, owner, commit, base) if commit else Rescued()
    if tip and not contains(site.host, site.place.path, commit, tip):
        keep(site.write, site.place.path, owner, tip, "branch")  # the worktree is on another one
    if tree:
        keep_nested(site.write, site.place.path, tree.path, owner)
        _remove(site, tree)
    if tip:
        _delete_branch(site, branch)
    if intent:
        mark = join(site.place.common_dir, "aitask", f"{intent}.json")
        site.host.run(["rm", "-f", "--", mark], check=False)
    return rescued


def _find(site: Site, path: str) -> Tree | None:
    """The worktree at the path, if it is one that may be removed."""
    tree = next((tree for tree in list_trees(site.host, site.place.path) if tree.path == path), None)
    if tree is None or tree.prunable:
        return None
    if tree.is_main:
        raise GitError(f"{path} is the repository itself.", "Only its other worktrees can be removed.")
    if tree.locked is not None:
        why = f": {tree.locked}" if tree.locked else "."
        raise GitError(
            f"The worktree {path} is locked{why}", f"Unlock it there: git worktree unlock '{path}'"
        )
    return tree


def _everything(site: Site, tree: Tree) -> str:
    """The commit that holds all of the worktree: its HEAD, or a new one with what was not committed."""
    found = status(site.host, tree.path)
    if found.clean:
        return tree.head
    if not found.head:
        raise GitError(f"{tree.path} has files but no commit.", "Look at it by hand before you remove it.")
    index = join(str(site.host.hello()["state_dir"]), "rescued", f"index-{uuid4().hex[:12]}")
    site.host.run(["mkdir", "-p", "-m", "700", "--", index.rpartition("/")[0]])
    try:
        return snapshot(site.write, tree.path, index)
    finally:
        site.host.run(["rm", "-f", "--", index], check=False)


def _rescue(site: Site, owner: int | str, commit: str, base: str) -> Rescued:
    ref = keep(site.write, site.place.path, owner, commit)
    start = _base(site, commit, base)
    patch = ""
    if start and start != commit:
        patch = patch_path(site.host, owner)
        save_patch(site.host, site.place.path, start, commit, patch)
    return Rescued(commit, ref, patch)


def _base(site: Site, commit: str, base: str) -> str:
    known = base and git(site.host, site.place.path, "cat-file", "-e", base, check=False).rc == 0
    if known:
        return base
    words = ("merge-base", site.mainline.ref, commit)
    return git(site.host, site.place.path, *words, check=False).out.strip()


def _remove(site: Site, tree: Tree) -> None:
    """`--force`: submodules and files that git ignores would stop it; the work itself is rescued by now."""
    words = ("worktree", "remove", "--force", "--", tree.path)
    done = retry_while_locked(lambda: site.write.git_to_its_end(site.place.path, *words))
    if done.rc:
        raise GitError(f"git could not remove {tree.path}: {done.err.strip()[-500:]}")


def _delete_branch(site: Site, branch: str) -> None:
    words = ("branch", "--quiet", "-D", "--", branch)
    done = site.write.git_to_its_end(site.place.path, *words)
    if done.rc and f"refs/heads/{branch}" in refs(site.host, site.place.path, f"refs/heads/{branch}"):
        raise GitError(f"git could not remove the branch {branch}: {done.err.strip()[-500:]}")
