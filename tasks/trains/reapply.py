"""Reapplying work after an undo: git counts the branch as merged, but the base branch has reverted it."""

from __future__ import annotations

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import MergeStep, Task
from tasks.models.trains import undone_step
from tasks.repository import Site, site_of
from tasks.verbs import TaskVerb, require
from workspaces.git.repos import branch_tip, contains
from workspaces.merging import Mainline, MainMoved, MergeWorktree, open_merge_worktree
from workspaces.merging.reverting import merge_into
from workspaces.merging.reverting import reapply as on_top_of

HINT = "Press “Reapply” on the task first. Then it can be merged again."


def reverted_step(task: Task, site: Site, tip: str) -> MergeStep | None:
    """Return `undone_step` if the branch contains the merged commit, but not the one that reverted it."""
    step = undone_step(task)
    if step is None or not tip:
        return None
    host, repo = site.host, site.place.path
    if not contains(host, repo, tip, step.commit) or contains(host, repo, tip, step.train.undo_commit):
        return None
    return step if site.mainline.contains(step.train.undo_commit) else None


def why_not(step: MergeStep) -> str:
    """Return why merging the branch as it is would change nothing."""
    return f"Merge train #{step.train_id} merged it and was undone, so git counts it as merged. {HINT}"


def reapply(task: Task) -> None:
    """Add a commit to the branch with the current base branch and the reverted work. Raises Refused."""
    require(task, TaskVerb.REAPPLY)
    site = site_of(task.workspace)
    tip = branch_tip(site.host, site.place.path, task.branch)
    step = reverted_step(task, site, tip)
    if step is None:
        raise Refused("There is nothing to reapply.", "git does not count the branch as merged.")
    path = f"{site.merge_worktree_path}-{task.pk}"
    worktree = open_merge_worktree(site.write, site.place, path, tip)
    try:
        _add_commit(task, site, worktree, step, tip)
    finally:
        site.write.git(site.place.path, "worktree", "remove", "--force", "--", path, check=False)
    doorbell.ring(f"task:{task.pk}")


def _add_commit(task: Task, site: Site, worktree: MergeWorktree, step: MergeStep, tip: str) -> None:
    main = site.mainline.tip()
    subject = f"Merge {site.branch} into {task.branch}"
    message = f"{subject}, with the work that the undo of merge train #{step.train_id} reverted\n"
    commit = on_top_of(worktree, main, step.candidate, step.commit, message)
    if tip != step.commit:
        commit = merge_into(worktree, tip, commit, message)
    try:
        Mainline(site.write, site.place, task.branch).advance(tip, commit, "aitask: reapply")
    except MainMoved:
        raise Refused("The branch has moved in the meantime.", "Try again.") from None
    MergeStep.objects.filter(pk=step.pk).update(brought_back=commit)
