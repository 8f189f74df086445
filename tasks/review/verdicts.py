"""Verdicts about finished work: accept, request changes, discard, restore, start over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.attachments.queries import prompt_of
from tasks.models import Run, Task, Verdict
from tasks.order.predecessors import start_of
from tasks.repository import Site, site_of
from tasks.runs import services as run_services
from tasks.verbs import TaskVerb, require
from tasks.worktrees.removal import Rescued, remove_tree
from workspaces import tmux
from workspaces.git.diffs import merge_base
from workspaces.git.repos import branch_tip, status
from workspaces.git.rescue import restore_ignored
from workspaces.git.worktrees import add_worktree
from workspaces.hostkit.escapes import visible
from workspaces.hosts import HostError


@dataclass(frozen=True)
class BranchState:
    """The state of a task's branch and worktree on the host."""

    tip: str
    uncommitted: int


def accept(task: Task, *, user: AbstractBaseUser | None, seen: str = "") -> Verdict:
    """Mark the branch as it is now as ready to merge. Uncommitted files are counted, but not merged.

    Raises Refused while a run is live, if the branch is missing or has no commits, and if it is not at
    `seen`, the commit that the user was shown.
    """
    require(task, TaskVerb.ACCEPT)
    state = _branch_state(task, site_of(task.workspace))
    if not state.tip:
        raise Refused(f"The branch {task.branch} no longer exists.", "Run the task again.")
    if seen and state.tip != seen:
        raise Refused(
            "The branch has changed since you loaded its diff.", "Look at the changes, then accept them."
        )
    if state.tip == task.base_commit:
        raise Refused(
            "The branch has no commits of its own: there is nothing to merge.", _hint_for_empty_branch(state)
        )
    cleared = {"rescue_ref": "", "patch_path": "", "ignored_path": "", "not_kept": []}
    verdict = _save_verdict(
        task, Verdict.Kind.ACCEPTED, user, commit=state.tip, uncommitted=state.uncommitted, **cleared
    )
    _move(task, Task.Status.REVIEW, (Task.Status.BACKLOG, Task.Status.DONE, Task.Status.REVIEW))
    return verdict


def undo_accept(task: Task) -> None:
    """Remove the mark that the task is accepted."""
    Verdict.objects.filter(task=task, kind=Verdict.Kind.ACCEPTED).delete()
    doorbell.ring(f"task:{task.pk}")


def request_changes(
    task: Task, message: str, *, user: AbstractBaseUser | None, attachments: Sequence[int] = ()
) -> Run:
    """Send the task back to its agent with a message or files, in the same CLI session if there is one."""
    if not message.strip() and not attachments:
        raise Refused("Describe the changes that you want.")
    require(task, TaskVerb.REQUEST_CHANGES)
    run = follow_up(task, message, user=user, attachments=attachments)
    undo_accept(task)  # afterwards: a file that is refused leaves the task accepted
    return run


def follow_up(
    task: Task, message: str, *, user: AbstractBaseUser | None, attachments: Sequence[int] = ()
) -> Run:
    """Queue a run that continues the last CLI session, or starts a new one if there is none.

    A new one gets the files of the task's prompt, too.
    """
    resume = task.runs.filter(backend=task.backend).exclude(cli_session="").exists()
    files = [*(() if resume else prompt_of(task)), *attachments]
    return run_services.queue_run(task, user=user, prompt=message, resume=resume, attachments=files)


def drop(task: Task, *, user: AbstractBaseUser | None) -> Verdict:
    """Remove branch, worktree and tmux session. A rescue ref and a patch on the host keep all work.

    Ignored files are kept in an archive, except what tools create again and what is too large.
    """
    require(task, TaskVerb.DROP)
    rescued = _remove(task)
    values = {
        "commit": rescued.commit,
        "rescue_ref": rescued.ref,
        "patch_path": rescued.patch,
        "ignored_path": rescued.ignored.archive,
        "not_kept": [visible(name) for name in rescued.ignored.too_large],
    }
    with transaction.atomic():
        verdict = _save_verdict(task, Verdict.Kind.DROPPED, user, **values)
        Task.objects.filter(pk=task.pk).update(branch="", worktree_path="", base_commit="", copied_files=[])
        _move(task, Task.Status.DONE, (Task.Status.BACKLOG, Task.Status.REVIEW, Task.Status.DONE))
    return verdict


def restore(task: Task) -> None:
    """Create a discarded branch and worktree again from the rescue ref; uncommitted work becomes a commit.

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
        owner_mark=site.owner_of_worktree(task),
    )
    if verdict.ignored_path and site.host.exists(verdict.ignored_path):
        restore_ignored(site.host, tree.path, verdict.ignored_path)
    starts = (f"refs/heads/{start_of(task)}", site.mainline.ref)
    bases = (merge_base(site.host, site.place.path, start, tree.base_commit) for start in starts)
    base = next(filter(None, bases), "")
    values = {"branch": tree.branch, "worktree_path": tree.path, "base_commit": base}
    with transaction.atomic():
        verdict.delete()
        Task.objects.filter(pk=task.pk).update(**values)
        _move(task, Task.Status.REVIEW, (Task.Status.BACKLOG, Task.Status.DONE))
    doorbell.ring(f"task:{task.pk}")


def start_over(task: Task, *, user: AbstractBaseUser | None) -> Run:
    """Queue a run on a new branch from the current base branch. A rescue ref keeps the old branch.

    Raises Refused if the worktree has ignored files that are too large to be kept.
    """
    require(task, TaskVerb.START_OVER)
    _remove(task, careful=True)
    with transaction.atomic():
        Verdict.objects.filter(task=task).delete()
        cleared = {"branch": "", "worktree_path": "", "base_commit": "", "copied_files": []}
        sizes = {"files_changed": 0, "lines_added": 0, "lines_deleted": 0}
        Task.objects.filter(pk=task.pk).update(**cleared, **sizes)
        task.refresh_from_db()
        return run_services.queue_run(task, user=user)


def _remove(task: Task, *, careful: bool = False) -> Rescued:
    site = site_of(task.workspace)
    _end_session(task, site)
    return remove_tree(
        site,
        owner=task.pk,
        path=task.worktree_path,
        branch=task.branch,
        base=task.base_commit,
        intent=site.intent(task),
        careful=careful,
    )


def _end_session(task: Task, site: Site) -> None:
    """End the task's tmux sessions: their working directory is about to be deleted."""
    owner = site.owner(task.key)
    names = {run.tmux_session for run in task.runs.all() if run.tmux_session}
    for name in names:
        try:
            tmux.kill_session(site.host, name, owner=owner)
        except HostError as error:
            if error.code != "not_found":
                raise


def _branch_state(task: Task, site: Site) -> BranchState:
    tip = branch_tip(site.host, site.place.path, task.branch)
    uncommitted = 0
    if task.worktree_path and site.host.exists(task.worktree_path):
        uncommitted = status(site.host, task.worktree_path).uncommitted
    return BranchState(tip, uncommitted)


def _hint_for_empty_branch(state: BranchState) -> str:
    """Return what can be done about a branch without commits."""
    if not state.uncommitted:
        return "Request changes, or move the task to Done without merging."
    return f"Uncommitted files in its worktree: {state.uncommitted}. Commit them first."


def _save_verdict(task: Task, kind: str, user: AbstractBaseUser | None, **values: object) -> Verdict:
    given = {"kind": kind, "by_id": user.pk if user else None, "at": timezone.now(), **values}
    verdict, _ = Verdict.objects.update_or_create(task=task, defaults=given)
    doorbell.ring(f"task:{task.pk}")
    return verdict


def _move(task: Task, status: str, expected: tuple[str, ...]) -> None:
    moved = {"status": status, "updated_at": timezone.now()}
    leaves_done = {} if status == Task.Status.DONE else {"archived_at": None}
    Task.objects.filter(pk=task.pk, status__in=expected).update(**moved, **leaves_done)
    task.refresh_from_db()
