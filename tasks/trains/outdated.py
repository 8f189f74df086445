"""Merged tasks of which the base branch does not hold everything any more: their cards return to Review."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from aitask.lib import doorbell
from tasks.models import MergeStep, MergeTrain, Task, Verdict
from tasks.repository import Site
from workspaces.git import git
from workspaces.git.diffs import merged_tree
from workspaces.git.overlap import conflicts_between
from workspaces.git.repos import contains, refs
from workspaces.models import Workspace

State = MergeTrain.State


def merged_tasks() -> QuerySet[Task]:
    """Return the tasks in Done that were merged and still have a branch."""
    merged = Task.objects.filter(status=Task.Status.DONE, verdict__kind=Verdict.Kind.MERGED)
    return merged.exclude(branch="")


def void_outdated_merges(site: Site, workspace: Workspace) -> bool:
    """Move tasks back to Review whose work the base branch lacks; return whether there are any.

    Their branches have got commits since, from a person or from something that outlived a run, or a person
    has moved the base branch back.
    """
    tasks = merged_tasks().filter(workspace=workspace).select_related("verdict")
    tips = refs(site.host, site.place.path, "refs/heads") if tasks else {}
    moved_back = bool(tips.get(site.mainline.ref)) and _has_moved_back(site, workspace)
    voided = False
    for task in tasks:
        tip = tips.get(f"refs/heads/{task.branch}", "")
        if tip and (_has_more(site, task, tip) or (moved_back and _is_lost(site, task, tip))):
            voided = _void(task.verdict) or voided
    return voided


def _has_more(site: Site, task: Task, tip: str) -> bool:
    """Return whether a branch has commits that it did not have when it was merged, and main lacks."""
    known = task.verdict.commit
    if tip == known or contains(site.host, site.place.path, known, tip):
        return False
    return not site.mainline.contains(tip)


def _has_moved_back(site: Site, workspace: Workspace) -> bool:
    """Return whether the base branch lacks what the last train merged."""
    ended = MergeTrain.objects.filter(workspace=workspace, branch=site.branch, dry_run=False)
    last = ended.exclude(tip="").exclude(state__in=(State.UNDONE, *MergeTrain.LIVE)).first()
    return last is not None and not site.mainline.contains(last.tip)


def _is_lost(site: Site, task: Task, tip: str) -> bool:
    """Return whether merging the branch again would bring changes, although a train has merged it.

    Not if it would conflict: then its lines have been changed again since.
    """
    steps = MergeStep.objects.filter(task=task, state=MergeStep.State.MERGED)
    step = steps.exclude(train__state=State.UNDONE).order_by("-train").first()
    if step is None or site.mainline.contains(step.candidate):
        return False
    host, repo, main = site.host, site.place.path, site.mainline.tip()
    if conflicts_between(host, repo, main, tip):
        return False
    present = git(host, repo, "rev-parse", f"{main}^{{tree}}").out.strip()
    return merged_tree(host, repo, main, tip) not in ("", present)


def _void(verdict: Verdict) -> bool:
    """Delete the verdict unless it has changed, and move its task from Done to Review."""
    with transaction.atomic():
        same = Verdict.objects.filter(pk=verdict.pk, kind=verdict.kind, commit=verdict.commit)
        if not same.delete()[0]:
            return False
        Task.objects.filter(pk=verdict.task_id, status=Task.Status.DONE).update(
            status=Task.Status.REVIEW, archived_at=None, updated_at=timezone.now()
        )
        doorbell.ring(f"task:{verdict.task_id}")
    return True
