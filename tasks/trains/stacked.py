"""Moves stacked branches when the branch below them has changed, or was merged in another form."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from aitask.lib import doorbell
from tasks.models import MergeStep, MergeTrain, Run, Task, Verdict
from tasks.order.predecessors import Predecessor, predecessors_by_task
from tasks.repository import Site
from workspaces.git.repos import contains, refs, status
from workspaces.git.rescue import keep
from workspaces.git.stacks import patch_id, replayed
from workspaces.merging import Blocked, Mainline, MainMoved
from workspaces.models import Workspace


def move_stacked(site: Site, workspace: Workspace) -> bool:
    """Move the stacked branches of a workspace that are at rest; return whether one was moved.

    Those that conflict stay where they are: merging them shows the conflict. Raises GitError and HostError.
    """
    stacked = Task.objects.filter(workspace=workspace, after_until=Task.Until.FINISHED)
    at_rest = stacked.exclude(status=Task.Status.DONE).exclude(branch="").exclude(base_commit="")
    tasks = {task.pk: task for task in at_rest.filter(dependencies__isnull=False).order_by("pk")}
    if not tasks:
        return False
    tips = refs(site.host, site.place.path, "refs/heads")
    moved = False
    for pk, (below, *_) in predecessors_by_task(tasks.values()).items():
        onto = _new_base(site, tasks[pk], below, tips)
        if onto and onto != tasks[pk].base_commit and _is_at_rest(pk):
            moved = _move(site, tasks[pk], tips.get(f"refs/heads/{tasks[pk].branch}", ""), onto) or moved
    return moved


def _new_base(site: Site, task: Task, below: Predecessor, tips: Mapping[str, str]) -> str:
    """Return the commit that the branch should stand on; empty if it need not be moved."""
    if not below.is_merged:
        return tips.get(f"refs/heads/{below.branch}", "") if below.branch else ""
    if site.mainline.contains(task.base_commit):
        return ""
    steps = MergeStep.objects.filter(task=below.number, state=MergeStep.State.MERGED)
    merged = steps.exclude(candidate="").order_by("-train").values_list("candidate", flat=True).first()
    return merged if merged and site.mainline.contains(merged) else site.mainline.tip()


def _is_at_rest(pk: int) -> bool:
    """Whether no agent works in the task's worktree or is about to, and no train merges its branch."""
    steps = MergeStep.objects.filter(task=pk, state__in=MergeStep.OPEN, train__state__in=MergeTrain.LIVE)
    return not (Run.objects.filter(task=pk, state__in=Run.LIVE).exists() or steps.exists())


def _move(site: Site, task: Task, tip: str, onto: str) -> bool:
    """Move the branch onto its new base, if that is clean. May be repeated after it was interrupted."""
    host, repo, base = site.host, site.place.path, task.base_commit
    if not tip:
        return False
    if contains(host, repo, tip, onto):
        return _save(task, _accepted_before(site, task, tip, onto), tip, onto, keeps_verdict=True)
    if not contains(host, repo, tip, base) or not _is_clean(site, task):
        return False
    new = replayed(site.write, repo, base, tip, onto)
    if not new:
        return False
    same = patch_id(site.write, repo, base, tip) == patch_id(site.write, repo, onto, new)
    keep(site.write, repo, task.pk, tip, "moved")
    if not _is_at_rest(task.pk):
        return False
    try:
        Mainline(site.write, site.place, task.branch).retreat(tip, new, "aitask: move onto its new base")
    except (MainMoved, Blocked):  # a person works in the worktree
        return False
    return _save(task, tip, new, onto, keeps_verdict=same)


def _accepted_before(site: Site, task: Task, tip: str, onto: str) -> str:
    """Return the commit that was accepted, if a move that was not saved has replaced it; else the tip.

    Its own changes are then those of the tip.
    """
    accepted = Verdict.objects.filter(task=task, kind=Verdict.Kind.ACCEPTED).values_list("commit", flat=True)
    old, repo = accepted.first() or tip, site.place.path
    if old == tip or not contains(site.host, repo, old, task.base_commit):
        return tip
    before = patch_id(site.write, repo, task.base_commit, old)
    return old if before == patch_id(site.write, repo, onto, tip) else tip


def _is_clean(site: Site, task: Task) -> bool:
    if not task.worktree_path or not site.host.exists(task.worktree_path):
        return True
    found = status(site.host, task.worktree_path)
    return found.clean and found.branch == task.branch


def _save(task: Task, old: str, new: str, onto: str, *, keeps_verdict: bool) -> bool:
    """Save the new base. A verdict stays if the branch's own changes are the same as before."""
    rows = Task.objects.filter(pk=task.pk, branch=task.branch, base_commit=task.base_commit)
    accepted = Verdict.objects.filter(task=task, kind=Verdict.Kind.ACCEPTED, commit=old)
    with transaction.atomic():
        if not rows.update(base_commit=onto):
            return False
        if keeps_verdict:
            accepted.update(commit=new)
        else:
            accepted.delete()
        doorbell.ring(f"task:{task.pk}")
    return True
