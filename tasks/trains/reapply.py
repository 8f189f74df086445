"""Work that a train merged and its undo reverted: git counts the branch as merged, yet main lacks it."""

from __future__ import annotations

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import MergeStep, Task
from tasks.models.trains import undone_step
from tasks.repository import Site, site_of
from tasks.verbs import TaskVerb, require
from workspaces.git.repos import branch_tip, contains
from workspaces.merging import Mainline, MainMoved, MergeWorktree, open_merge_worktree
from workspaces.merging.reverting import bring_back as on_top_of
from workspaces.merging.reverting import merge_into

HINT = "Press “Bring it back” on the task first: then it can be merged again."


def reverted_step(task: Task, site: Site, tip: str) -> MergeStep | None:
    """`undone_step`, while the branch holds what was merged and not yet what took it back."""
    step = undone_step(task)
    if step is None or not tip:
        return None
    host, repo = site.host, site.place.path
    if not contains(host, repo, tip, step.commit) or contains(host, repo, tip, step.train.undo_commit):
        return None
    return step if site.mainline.contains(step.train.undo_commit) else None


def why_not(step: MergeStep) -> str:
    """Why merging the branch as it is would bring nothing."""
    return f"Train {step.train_id} merged it, and its undo took it back: git counts it as merged. {HINT}"


def reapply(task: Task) -> None:
    """Give the branch a commit that holds today's main and what the undo took away. Raises Refused."""
    require(task, TaskVerb.REAPPLY)
    site = site_of(task.workspace)
    tip = branch_tip(site.host, site.place.path, task.branch)
    step = reverted_step(task, site, tip)
    if step is None:
        raise Refused("There is nothing to bring back.", "The branch is not counted as merged.")
    path = f"{site.merge_worktree_path}-{task.pk}"
    worktree = open_merge_worktree(site.write, site.place, path, tip)
    try:
        _bring_back(task, site, worktree, step, tip)
    finally:
        site.write.git(site.place.path, "worktree", "remove", "--force", "--", path, check=False)
    doorbell.ring(f"task:{task.pk}", "board")


def _bring_back(task: Task, site: Site, worktree: MergeWorktree, step: MergeStep, tip: str) -> None:
    main = site.mainline.tip()
    subject = f"Merge {site.branch} into {task.branch}"
    message = f"{subject}, with what the undo of train {step.train_id} took back\n"
    commit = on_top_of(worktree, main, step.candidate, step.commit, message)
    if tip != step.commit:
        commit = merge_into(worktree, tip, commit, message)
    try:
        Mainline(site.write, site.place, task.branch).advance(tip, commit, "aitask: bring back")
    except MainMoved:
        raise Refused("The branch moved meanwhile.", "Try again.") from None
    MergeStep.objects.filter(pk=step.pk).update(brought_back=commit)
