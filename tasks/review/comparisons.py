"""Which differences of a task a user can look at, what each compares, and why one is empty."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from posixpath import join

from aitask.lib.errors import Refused
from tasks.models import Run, Task, Verdict
from tasks.repository import Site, site_of
from workspaces.git import git
from workspaces.git.diffs import (
    EMPTY_TREE,
    Commit,
    Range,
    changed_files,
    commits,
    merge_base,
    merged_tree,
    spare_index,
)
from workspaces.git.repos import contains, refs, status

SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LABELS = {
    "base": "All changes",
    "main": "Merged into today's {branch}",
    "turn": "Last turn",
    "work": "Not committed",
}


@dataclass
class View:
    """A task's branch and everything that its differences are computed from."""

    task: Task
    site: Site
    tip: str
    main: str
    base: str
    "Where the branch left main."
    has_worktree: bool
    live: bool
    commits: list[Commit] = field(default_factory=list)

    @property
    def repo(self) -> str:
        return self.site.place.path

    @cached_property
    def uncommitted(self) -> int:
        """How many files of the worktree are changed, new or in conflict."""
        return status(self.site.host, self.task.worktree_path).uncommitted if self.has_worktree else 0

    @property
    def index(self) -> str:
        state = str(self.site.host.hello()["state_dir"])
        return join(state, "diffs", f"{self.site.installation}-{self.task.pk}.index")

    def range(self, name: str, *, fresh: bool = False) -> Range:
        """What a range compares. `fresh` looks for new files of the worktree again. Raises Refused."""
        if name == "base":
            return Range(self.repo, self.base, self.tip)
        if name == "main":
            merged = merged_tree(self.site.host, self.repo, self.main, self.tip)
            return Range(self.repo, self.main, merged or self.tip)
        if name == "turn":
            return Range(self.repo, self._before_last_turn(), self.tip)
        if name == "work" and self.has_worktree:
            return self._worktree(fresh=fresh)
        kind, _, sha = name.partition(":")
        if kind == "commit" and SHA.fullmatch(sha):
            return self._commit(sha)
        raise Refused("There is no such comparison.")

    def _worktree(self, *, fresh: bool) -> Range:
        path = self.task.worktree_path
        if fresh or not self.site.host.exists(self.index):
            spare_index(self.site.write, path, self.index)
        return Range(path, "HEAD", "", self.index)

    def _before_last_turn(self) -> str:
        """The commit at which the last run but one ended, if the branch still goes on from there."""
        ended = Run.objects.filter(task=self.task).exclude(commit="").order_by("-number")
        for earlier in ended.values_list("commit", flat=True)[1:5]:
            if earlier != self.tip and contains(self.site.host, self.repo, self.tip, earlier):
                return earlier
        return self.base

    def _commit(self, sha: str) -> Range:
        if all(commit.sha != sha for commit in self.commits or self.read_commits()):
            raise Refused("This commit is not one of the task's.")
        parent = git(self.site.host, self.repo, "rev-parse", "--quiet", "--verify", f"{sha}^", check=False)
        return Range(self.repo, parent.out.strip() or EMPTY_TREE, sha)

    def read_commits(self) -> list[Commit]:
        self.commits = commits(self.site.host, self.repo, self.base, self.tip)
        return self.commits


def view_of(task: Task) -> View:
    """How the task's branch stands. Raises Refused when there is none, GitError and HostError."""
    site = site_of(task.workspace)
    verdict = Verdict.objects.filter(task=task).first()
    names = (f"refs/heads/{task.branch}", site.mainline.ref) if task.branch else (site.mainline.ref,)
    found = refs(site.host, site.place.path, *names)
    tip = found.get(f"refs/heads/{task.branch}", "") or (verdict.commit if verdict else "")
    if not tip:
        raise Refused("There is nothing to see yet.", "The branch is made when the task first runs.")
    main = found.get(site.mainline.ref, "")
    has_worktree = bool(task.worktree_path) and site.host.exists(task.worktree_path)
    return View(
        task=task,
        site=site,
        tip=tip,
        main=main or tip,
        base=_base(task, site, main, tip),
        has_worktree=has_worktree,
        live=task.runs.filter(state__in=Run.ACTIVE).exists(),
    )


def _base(task: Task, site: Site, main: str, tip: str) -> str:
    """The merge base; for a branch that is on main already, where it was made."""
    base = merge_base(site.host, site.place.path, main, tip) if main else ""
    return base if base and base != tip else (task.base_commit or base or EMPTY_TREE)


def why_nothing(view: View, name: str, rng: Range, *, ignore_space: bool) -> str:
    """About the range `name`, in which no file differs. Raises GitError and HostError."""
    if ignore_space and changed_files(view.site.host, rng):
        return "Only white space differs: turn off “Ignore spaces” to see it."
    if name == "work":
        return "Everything in the worktree is committed."
    if name.startswith("commit:"):
        return "This commit changes no file."
    if view.tip == view.base:
        return _about_branch(view)
    if name == "main":
        return f"Merging it would change nothing: today's {view.site.branch} has all of it."
    if name == "turn":
        return "The last turn changed nothing: choose “All changes” to see what was done before it."
    return "Its commits change nothing in the end: later ones take back what earlier ones did."


def _about_branch(view: View) -> str:
    """The branch has no commits of its own."""
    run = view.task.last_run
    count = view.uncommitted
    if count:
        words = "1 file in the worktree is" if count == 1 else f"{count} files in the worktree are"
        return f"Nothing is committed yet, but {words} changed: choose “Not committed” to see what."
    if run is None:
        return "Nothing is changed yet: run the task, or work in its terminal."
    if run.is_live:
        return "Nothing is changed yet: what the agent changes will stand here."
    return "Nothing was changed: send it back with other words, or move the task to Done."
