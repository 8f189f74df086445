"""What a person decides about finished work: accept it, send it back, drop it, or begin anew."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import Run, Task, Verdict
from tasks.repository import Site, site_of
from tasks.runs import services as run_services
from tasks.verbs import TaskVerb, require
from tasks.worktrees.removal import Rescued, remove_tree
from workspaces import tmux
from workspaces.git.diffs import merge_base
from workspaces.git.repos import branch_tip, status
from workspaces.git.worktrees import add_worktree
from workspaces.hosts import HostError


@dataclass(frozen=True)
class BranchState:
    """How a task's branch and worktree stand on the host."""

    tip: str
    uncommitted: int


def accept(task: Task, *, user: AbstractBaseUser | None) -> Verdict:
    """Say that the branch as it is now may be merged. Uncommitted files are counted, not merged.

    Raises Refused while a run is going, and when there is no branch or nothing on it.
    """
    require(task, TaskVerb.ACCEPT)
    standing = _standing(task, site_of(task.workspace))
    if not standing.tip:
        raise Refused(f"Its branch {task.branch} is gone.", "Run the task again.")
    if standing.tip == task.base_commit:
        raise Refused("Its branch has no commits of its own: nothing to merge.", _what_else(standing))
    cleared = {"rescue_ref": "", "patch_path": ""}
    verdict = _judge(
        task, Verdict.Kind.ACCEPTED, user, commit=standing.tip, uncommitted=standing.uncommitted, **cleared
    )
    _move(task, Task.Status.REVIEW, (Task.Status.BACKLOG, Task.Status.DONE, Task.Status.REVIEW))
    return verdict


def undo_accept(task: Task) -> None:
    """The task stands in review again, not accepted."""
    Verdict.objects.filter(task=task, kind=Verdict.Kind.ACCEPTED).delete()
    doorbell.ring(f"task:{task.pk}", "board")


def request_changes(task: Task, message: str, *, user: AbstractBaseUser | None) -> Run:
    """Give the work back to the agent, in the session that it knows; from the start when there is none."""
    if not message.strip():
        raise Refused("Say what should be different.")
    require(task, TaskVerb.REQUEST_CHANGES)
    undo_accept(task)
    return follow_up(task, message, user=user)


def follow_up(task: Task, message: str, *, user: AbstractBaseUser | None) -> Run:
    """A run that goes on with the last session, or starts one when that is gone."""
    resume = task.runs.filter(backend=task.backend).exclude(cli_session="").exists()
    return run_services.queue_run(task, user=user, prompt=message, resume=resume)


def drop(task: Task, *, user: AbstractBaseUser | None) -> Verdict:
    """Remove branch, worktree and session. All of it stays in a rescue ref and a patch on the host."""
    require(task, TaskVerb.DROP)
    rescued = _remove(task)
    values = {"commit": rescued.commit, "rescue_ref": rescued.ref, "patch_path": rescued.patch}
    with transaction.atomic():
        verdict = _judge(task, Verdict.Kind.DROPPED, user, **values)
        Task.objects.filter(pk=task.pk).update(branch="", worktree_path="", base_commit="", copied_files=[])
        _move(task, Task.Status.DONE, (Task.Status.BACKLOG, Task.Status.REVIEW, Task.Status.DONE))
    return verdict


def restore(task: Task) -> None:
    """Undo a drop: branch and worktree are made anew from the rescue ref. What was not committed is a commit.

    Raises Refused (GitError, HostError).
    """
    require(task, TaskVerb.RESTORE)
    verdict = Verdict.objects.get(task=task)
    site, name = site_of(task.workspace), f"{task.pk}-{task.slug}"
    tree = add_worktree(
        site.host,
        repo=site.place.path,
        root=task.workspace.worktree_root,
        name=name,
        branch=f"aitask/{name}",
        base=verdict.rescue_ref,
        owner_mark={"installation": site.installation, "task": task.pk},
    )
    base = merge_base(site.host, site.place.path, site.mainline.ref, tree.base_commit)
    values = {"branch": tree.branch, "worktree_path": tree.path, "base_commit": base}
    with transaction.atomic():
        verdict.delete()
        Task.objects.filter(pk=task.pk).update(**values)
        _move(task, Task.Status.REVIEW, (Task.Status.BACKLOG, Task.Status.DONE))
    doorbell.ring(f"task:{task.pk}", "board")


def start_over(task: Task, *, user: AbstractBaseUser | None) -> Run:
    """Run the task from the start on a new branch from today's base; the old branch stays in a rescue ref."""
    require(task, TaskVerb.START_OVER)
    _remove(task)
    with transaction.atomic():
        Verdict.objects.filter(task=task).delete()
        cleared = {"branch": "", "worktree_path": "", "base_commit": "", "copied_files": []}
        sizes = {"files_changed": 0, "lines_added": 0, "lines_deleted": 0}
        Task.objects.filter(pk=task.pk).update(**cleared, **sizes)
        task.refresh_from_db()
        return run_services.queue_run(task, user=user)


def _remove(task: Task) -> Rescued:
    site = site_of(task.workspace)
    _end_session(task, site)
    return remove_tree(
        site,
        owner=task.pk,
        path=task.worktree_path,
        branch=task.branch,
        base=task.base_commit,
        intent=f"{site.installation}-{task.pk}",
    )


def _end_session(task: Task, site: Site) -> None:
    """The shells in the worktree would stand in a folder that is gone."""
    owner = site.owner(task.pk)
    names = {run.tmux_session for run in task.runs.all() if run.tmux_session}
    for name in names:
        try:
            tmux.kill_session(site.host, name, owner=owner)
        except HostError as error:
            if error.code != "not_found":
                raise


def _standing(task: Task, site: Site) -> BranchState:
    tip = branch_tip(site.host, site.place.path, task.branch)
    uncommitted = 0
    if task.worktree_path and site.host.exists(task.worktree_path):
        uncommitted = status(site.host, task.worktree_path).uncommitted
    return BranchState(tip, uncommitted)


def _what_else(standing: BranchState) -> str:
    """What can be done about a branch without commits."""
    if not standing.uncommitted:
        return "Send it back with other words, or move it to Done without merging."
    return f"Changed files in its worktree that are not committed: {standing.uncommitted}. Commit them first."


def _judge(task: Task, kind: str, user: AbstractBaseUser | None, **values: str | int) -> Verdict:
    given = {"kind": kind, "by_id": user.pk if user else None, "at": timezone.now(), **values}
    verdict, _ = Verdict.objects.update_or_create(task=task, defaults=given)
    doorbell.ring(f"task:{task.pk}", "board")
    return verdict


def _move(task: Task, status: str, expected: tuple[str, ...]) -> None:
    Task.objects.filter(pk=task.pk, status__in=expected).update(status=status, updated_at=timezone.now())
    task.refresh_from_db()
