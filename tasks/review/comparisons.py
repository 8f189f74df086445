"""The comparisons of a task's work: what each compares, and why one is empty."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from posixpath import join

from aitask.lib.errors import Refused
from tasks.models import Resolution, Run, Task, Verdict
from tasks.order.predecessors import is_from_elsewhere
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
    upstream_commit,
)
from workspaces.git.repos import contains, refs, status
from workspaces.git.stacks import starts_at

SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LABELS = {
    "base": "All changes",
    "main": "After merging into {branch}",
    "own": "Without commits of origin/{branch}",
    "turn": "Last turn",
    "work": "Uncommitted",
    "resolved": "How the agent resolved the conflict",
}


@dataclass
class View:
    """A task's branch, and what its comparisons are computed from."""

    task: Task
    site: Site
    tip: str
    main: str
    base: str
    "Where the branch left the base branch."
    has_worktree: bool
    live: bool
    commits: list[Commit] = field(default_factory=list)

    @property
    def repo(self) -> str:
        return self.site.place.path

    @cached_property
    def uncommitted(self) -> int:
        """Number of changed, new or conflicting files in the worktree."""
        return status(self.site.host, self.task.worktree_path).uncommitted if self.has_worktree else 0

    @cached_property
    def upstream(self) -> str:
        """The newest commit of origin's base branch that the branch has and main lacks; empty if none.

        It is not the base of all changes: an agent could move the ref, and hide what will be merged.
        """
        return upstream_commit(self.site.host, self.repo, self.site.branch, self.main, self.tip)

    @property
    def index(self) -> str:
        state = str(self.site.host.hello()["state_dir"])
        return join(state, "diffs", f"{self.site.installation}-{self.task.key}.index")

    def range(self, name: str, *, refresh: bool = False) -> Range:
        """Return the range of a comparison; `refresh` rereads the worktree. Raises Refused if unknown."""
        if name == "base":
            return Range(self.repo, self.base, self.tip)
        if name == "main":
            merged = merged_tree(self.site.host, self.repo, self.main, self.tip)
            return Range(self.repo, self.main, merged or self.tip)
        if name == "own" and self.upstream:
            return Range(self.repo, self.upstream, self.tip)
        if name == "turn":
            return Range(self.repo, self._before_last_turn(), self.tip)
        if name == "resolved" and self.resolution:
            return self._resolved(self.resolution)
        if name == "work" and self.has_worktree:
            return self._worktree(refresh=refresh)
        kind, _, sha = name.partition(":")
        if kind == "commit" and SHA.fullmatch(sha):
            return self._commit(sha)
        raise Refused("Unknown comparison.")

    @cached_property
    def resolution(self) -> Resolution | None:
        """A conflict that the task's agent has resolved."""
        found = Resolution.objects.filter(task=self.task).exclude(resolved="")
        return found.first()

    def _resolved(self, resolution: Resolution) -> Range:
        """Return what the branch has beyond what git merges by itself: all that the agent wrote since."""
        merged = merged_tree(self.site.host, self.repo, resolution.accepted, resolution.main)
        return Range(self.repo, merged or resolution.accepted, resolution.resolved)

    def _worktree(self, *, refresh: bool) -> Range:
        path = self.task.worktree_path
        if refresh or not self.site.host.exists(self.index):
            spare_index(self.site.write, path, self.index)
        return Range(path, "HEAD", "", self.index)

    def _before_last_turn(self) -> str:
        """Return the commit of the run before the last one if the branch contains it, else the base."""
        ended = Run.objects.filter(task=self.task).exclude(commit="").order_by("-number")
        for earlier in ended.values_list("commit", flat=True)[1:5]:
            if earlier != self.tip and contains(self.site.host, self.repo, self.tip, earlier):
                return earlier
        return self.base

    def _commit(self, sha: str) -> Range:
        if all(commit.sha != sha for commit in self.commits or self.read_commits()):
            raise Refused("This commit does not belong to the task.")
        parent = git(self.site.host, self.repo, "rev-parse", "--quiet", "--verify", f"{sha}^", check=False)
        return Range(self.repo, parent.out.strip() or EMPTY_TREE, sha)

    def read_commits(self) -> list[Commit]:
        self.commits = commits(self.site.host, self.repo, self.base, self.tip)
        return self.commits


def view_of(task: Task) -> View:
    """Return the state of the task's branch. Raises Refused if there is none, GitError and HostError."""
    site = site_of(task.workspace)
    verdict = Verdict.objects.filter(task=task).first()
    names = (f"refs/heads/{task.branch}", site.mainline.ref) if task.branch else (site.mainline.ref,)
    found = refs(site.host, site.place.path, *names)
    tip = found.get(f"refs/heads/{task.branch}", "") or (verdict.commit if verdict else "")
    if not tip:
        raise Refused("There is nothing to show yet.", "The branch is created when the task first runs.")
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
    """Return the merge base; for a merged branch, the commit that it started from.

    A branch that started from another branch is compared with that, as long as it stands on it.
    """
    host, repo = site.host, site.place.path
    if is_from_elsewhere(task) and starts_at(host, repo, main or tip, tip, task.base_commit):
        return task.base_commit
    base = merge_base(site.host, site.place.path, main, tip) if main else ""
    return base if base and base != tip else (task.base_commit or base or EMPTY_TREE)


def why_nothing(view: View, name: str, rng: Range, *, ignore_space: bool) -> str:
    """Return why no file differs in the range `name`. Raises GitError and HostError."""
    if ignore_space and changed_files(view.site.host, rng):
        return "Only whitespace differs. Turn off “Ignore spaces” to see it."
    if name == "work":
        return "Everything in the worktree is committed."
    if name.startswith("commit:"):
        return "This commit changes no files."
    if view.tip == view.base:
        return _about_branch(view)
    if name == "main":
        return f"Merging it would change nothing: {view.site.branch} already has these changes."
    if name == "turn":
        return "The last turn changed nothing. Choose “All changes” to see earlier changes."
    return "Its commits cancel each other out: later ones revert earlier ones."


def _about_branch(view: View) -> str:
    """Return why a branch has no commits of its own."""
    run = view.task.last_run
    count = view.uncommitted
    if count:
        files = "1 file in the worktree is" if count == 1 else f"{count} files in the worktree are"
        return f"Nothing is committed yet, but {files} changed. Choose “Uncommitted” to see the changes."
    if run is None:
        return "No changes yet. Run the task, or work in its terminal."
    if run.is_live:
        return "No changes yet. The agent's changes will appear here."
    return "Nothing was changed. Request changes, or move the task to Done."
