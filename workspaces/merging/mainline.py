"""The base branch that tasks are merged into. It moves in one atomic step, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aitask.lib.shell import command_line
from workspaces.git.commands import GitError, git
from workspaces.git.in_the_way import files_in_the_way, untracked_at
from workspaces.git.locks import is_locked, retry_while_locked
from workspaces.git.overlap import uncommitted_paths
from workspaces.git.repos import RepositoryPaths, bare_by_mistake, contains, is_bare_by_mistake, refs
from workspaces.git.spotlight import was_put_back
from workspaces.git.submodules import NO_NESTED
from workspaces.git.worktree_list import Tree, checkout_path, list_trees, rebasing_worktree
from workspaces.git.writing import Writer
from workspaces.hostkit.escapes import some_of
from workspaces.hosts import Completed

UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


class MainMoved(Exception):
    """Another process moved the branch meanwhile; nothing was changed."""


class Blocked(GitError):
    """The branch can't be moved until the user has fixed the reason; nothing was changed.

    `paths` are the files that are in the way in the worktree `place`, if that is the reason.
    """

    def __init__(
        self, reason: str, hint: str = "", *, code: str = "git", place: str = "", paths: Sequence[str] = ()
    ) -> None:
        super().__init__(reason, hint, code=code)
        self.place, self.paths = place, paths


@dataclass(frozen=True)
class Mainline:
    """A branch of a repository, by its short name."""

    write: Writer
    repo: RepositoryPaths
    branch: str

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def tip(self) -> str:
        """Return the commit of the branch. Raises GitError if it does not exist locally."""
        found = refs(self.write.host, self.repo.path, self.ref).get(self.ref)
        if found:
            return found
        command = command_line("git", "branch", self.branch, "COMMIT")
        hint = f"Set another base branch in the workspace, or create it: {command}"
        raise GitError(f"There is no local branch {self.branch} to merge into.", hint, code="no_base")

    def contains(self, commit: str) -> bool:
        return contains(self.write.host, self.repo.path, self.ref, commit)

    def check_ready(self) -> None:
        """Raise Blocked if the branch is being rebased or is checked out in two worktrees.

        Also if git can't see the repository's own worktree.
        """
        self._refuse_hidden_worktree()
        trees = list_trees(self.write.host, self.repo.path)
        self._only_checkout(trees)
        path = rebasing_worktree(self.write.host, trees, self.ref)
        if path:
            raise Blocked(f"A rebase of {self.branch} is in progress in {path}.", "Finish or abort it first.")

    def advance(self, old: str, new: str, why: str) -> None:
        """Move from `old` to its descendant `new`, and update the worktree that has the branch checked out.

        Raises MainMoved, or Blocked if files of the user would be overwritten: uncommitted or untracked
        ones, and those that git ignores.
        """
        done = retry_while_locked(lambda: self._advance_once(old, new, why))
        if done.rc and self.tip() == old and self._end_spotlight():
            done = retry_while_locked(lambda: self._advance_once(old, new, why))
        if not done.rc or (tip := self.tip()) == new:
            return
        if tip != old:
            raise MainMoved
        self.check_room(old, new)
        raise self._blocked(done)

    def _end_spotlight(self) -> bool:
        """Put the checkout of the branch back if Spotlight shows a task there; return whether it did.

        Called when the branch can't move: Spotlight's files look like uncommitted ones. Raises Blocked.
        """
        _, path = self._tip_and_checkout()
        try:
            return bool(path) and was_put_back(self.write.host, path)
        except GitError as error:
            raise Blocked(error.reason, error.hint, code=error.code) from error

    def check_room(self, old: str, new: str) -> None:
        """Raise Blocked if a move from `old` to `new` would overwrite files of the user."""
        _, path = self._tip_and_checkout()
        if not path:
            return
        args = ("diff-tree", "-r", "--name-only", "--no-renames", "-z", old, new, "--")
        changed = git(self.write.host, self.repo.path, *args).out.split("\0")
        untracked = files_in_the_way(self.write.host, path, old, new)
        dirty = sorted(uncommitted_paths(self.write.host, path).intersection(changed) - set(untracked))
        if dirty:
            raise self._in_the_way(path, "uncommitted changes", dirty, "Commit or stash them there")
        if untracked:
            raise self._in_the_way(
                path, "files that git does not track", untracked, "Move them to another folder"
            )

    def untracked_at(self, paths: Sequence[str]) -> list[str]:
        """Return the user's untracked and ignored files that lie where these files would be created."""
        _, path = self._tip_and_checkout()
        return untracked_at(self.write.host, path, paths) if path else []

    def _advance_once(self, old: str, new: str, why: str) -> Completed:
        tip, path = self._tip_and_checkout()
        if tip != old:
            raise MainMoved
        self._refuse_hidden_worktree()
        if not path:
            return self._git(self.repo.path, "update-ref", "-m", why, self.ref, new, old)
        args = ("merge", "--quiet", "--ff-only", "--no-squash", "--no-autostash", "--no-stat")
        return self._git(path, *args, "--no-overwrite-ignore", new)

    def _tip_and_checkout(self) -> tuple[str, str]:
        """Return the commit, and the worktree that has the branch checked out (empty if none has)."""
        form = "--format=%(objectname)%00%(worktreepath)"
        done = git(self.write.host, self.repo.path, "for-each-ref", form, self.ref)
        tip, _, path = done.out.rstrip("\n").partition("\0")
        return tip, path and checkout_path(self.write.host, self.repo, path)

    def retreat(self, old: str, new: str, why: str) -> None:
        """Move back from `old` to its ancestor `new`. Raises MainMoved and Blocked like `advance`."""
        self._refuse_hidden_worktree()
        tree = self._only_checkout(list_trees(self.write.host, self.repo.path))
        if self.tip() != old:
            raise MainMoved
        done = self._retreat_once(tree, old, new, why)
        if self.tip() == old and done.rc and self._end_spotlight():
            done = self._retreat_once(tree, old, new, why)
        if self.tip() != new:
            if self.tip() != old:
                raise MainMoved
            self.check_room(old, new)
            raise self._blocked(done)

    def _retreat_once(self, tree: Tree | None, old: str, new: str, why: str) -> Completed:
        if tree is None:
            return self._git(self.repo.path, "update-ref", "-m", why, self.ref, new, old)
        self._refuse_staged(tree)
        # Not `reset --keep`, which overwrites files that git ignores.
        args = ("checkout", "--quiet", "--no-overwrite-ignore", "-B", self.branch, new, "--")
        return self._git(tree.path, *args)

    def put_back(self, old: str, new: str, why: str) -> None:
        """Move from `old` back to `new`, where it was before another process moved it in either direction.

        Files are left alone where they did not follow that move. Raises MainMoved and Blocked.
        """
        tree = self._only_checkout(list_trees(self.write.host, self.repo.path))
        if tree is None or not self._has_index_of(tree, new):
            self.retreat(old, new, why)
            return
        if self.tip() != old:
            raise MainMoved
        done = self._git(self.repo.path, "update-ref", "-m", why, self.ref, new, old)
        if done.rc:
            raise self._blocked(done)

    def _has_index_of(self, tree: Tree, commit: str) -> bool:
        args = ("diff", "--cached", "--quiet", NO_NESTED, "--no-ext-diff", "--no-textconv", commit, "--")
        return git(self.write.host, tree.path, *args, check=False).rc == 0

    def _git(self, path: str, *args: str) -> Completed:
        """Run git to its end, with the hooks that it would run for a person."""
        return self.write.with_hooks.git_to_its_end(path, *args)

    def _refuse_staged(self, tree: Tree) -> None:
        """Raise Blocked if changes are staged or a merge is unfinished: moving back would forget both."""
        for name in UNFINISHED:
            args = ("rev-parse", "--quiet", "--verify", name)
            if git(self.write.host, tree.path, *args, check=False).rc == 0:
                hint = "Conclude or abort it, then try again."
                raise Blocked(f"A merge, cherry-pick or revert is in progress in {tree.path}.", hint)
        if git(self.write.host, tree.path, "diff", "--cached", "--quiet", "--", check=False).rc:
            raise Blocked(
                f"Changes are staged in {tree.path}, where {self.branch} is checked out.",
                "Commit or unstage them, then try again.",
            )

    def _refuse_hidden_worktree(self) -> None:
        """Raise Blocked if the branch could be checked out where git does not see it."""
        if is_bare_by_mistake(self.write.host, self.repo):
            error = bare_by_mistake(self.repo)
            raise Blocked(error.reason, error.hint)

    def _only_checkout(self, trees: list[Tree]) -> Tree | None:
        found = [tree for tree in trees if tree.branch == self.ref and not tree.bare]
        if len(found) > 1:
            places = " and ".join(tree.path for tree in found)
            raise Blocked(
                f"{self.branch} is checked out twice: {places}.", "Switch one of them to another branch."
            )
        if found and found[0].prunable:
            raise Blocked(
                f"{self.branch} is checked out in {found[0].path}, which does not exist any more.",
                "Run in the repository: git worktree prune",
            )
        return found[0] if found else None

    def _blocked(self, done: Completed) -> Blocked:
        """Return the reason why git did not move the branch."""
        output = done.err.strip()
        trees = [tree for tree in list_trees(self.write.host, self.repo.path) if tree.branch == self.ref]
        where = trees[0].path if trees else self.repo.path
        if is_locked(done):
            hint = f"Another git process is running in {where}. If it has crashed, remove the lock file."
            return Blocked(f"git can't move {self.branch}: {output.splitlines()[0][:600]}", hint)
        reason = "\n".join(line for line in output.splitlines() if not line.startswith("hint:"))
        return Blocked(
            f"git did not move {self.branch}: {reason[-600:] or 'no reason given'}", f"Check {where}."
        )

    def _in_the_way(self, where: str, what: str, files: list[str], cure: str) -> Blocked:
        return Blocked(
            f"{self.branch} is checked out in {where}, and {what} would be overwritten: {some_of(files)}.",
            f"{cure}, then continue.",
            code="dirty",
            place=where,
            paths=files,
        )
