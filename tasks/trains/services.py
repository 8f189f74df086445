"""Starting, stopping, continuing and undoing merge trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import MergeStep, MergeTrain, Run, Task, Verdict
from tasks.repository import Site, site_of
from tasks.review import verdicts
from tasks.runs.queries import with_newest_runs
from tasks.trains import jobs
from tasks.trains.order import with_accepted_predecessors
from tasks.trains.reapply import reverted_step, why_not
from tasks.verbs import TRAIN_RULES, TrainVerb
from workspaces.git.automatic import why_it_runs
from workspaces.git.overlap import blobs_changed_by
from workspaces.git.repos import refs
from workspaces.git.trust import require_decided
from workspaces.merging import Strategy
from workspaces.models import Workspace

State = MergeTrain.State


def accepted(workspace: Workspace) -> list[Task]:
    """Return the accepted tasks that are not merged yet, in board order."""
    tasks = Task.objects.filter(workspace=workspace, status=Task.Status.REVIEW)
    return list(tasks.filter(verdict__kind=Verdict.Kind.ACCEPTED).order_by("rank", "pk"))


def finished(workspace: Workspace) -> list[Task]:
    """Return the tasks in review that are accepted, whose last run succeeded, or that never ran."""
    tasks = Task.objects.filter(workspace=workspace, status=Task.Status.REVIEW).exclude(branch="")
    tasks = tasks.exclude(kind=Task.Kind.PLAN)
    ended = (None, Run.State.SUCCEEDED)
    ordered = with_newest_runs(tasks.order_by("rank", "pk"))
    return [task for task in ordered if (task.last_run and task.last_run.state) in ended or is_accepted(task)]


def is_accepted(task: Task) -> bool:
    return Verdict.objects.filter(task=task, kind=Verdict.Kind.ACCEPTED).exists()


@dataclass(frozen=True)
class FileThatRuns:
    """A file that a branch changes and that somebody runs or obeys by itself, by its content."""

    path: str
    why: str
    old: str
    new: str
    "The git objects of both versions; empty if there is none."


def files_that_run(workspace: Workspace, tasks: Sequence[Task]) -> dict[int, list[FileThatRuns]]:
    """Return what the branches change of such files now, by task. Raises HostError and GitError."""
    site = site_of(workspace)
    tips, main = refs(site.host, site.place.path, "refs/heads"), site.mainline.tip()
    found = {}
    for task in tasks:
        tip = tips.get(f"refs/heads/{task.branch}", "") if task.branch else ""
        blobs = blobs_changed_by(site.host, site.place.path, main, tip) if tip else []
        marked = [(blob, why_it_runs(blob.path, workspace.commands)) for blob in blobs]
        found[task.pk] = [FileThatRuns(blob.path, why, blob.old, blob.new) for blob, why in marked if why]
    return found


def start_train(
    workspace: Workspace,
    tasks: Sequence[Task],
    *,
    user: AbstractBaseUser | None,
    strategy: str = Strategy.MERGE,
    check: bool = True,
    dry_run: bool = False,
    push: bool = False,
) -> MergeTrain:
    """Create a train of these tasks, in this order, and enqueue it.

    A task comes after its predecessors, whatever the order; accepted ones are taken along.
    Raises Refused (GitError, HostError) if there is nothing to merge or the repository can't be read.
    """
    if strategy not in list(Strategy):
        raise Refused(f"Unknown strategy: {strategy}.", f"Use one of: {', '.join(Strategy)}.")
    if not tasks:
        raise Refused("There is nothing to merge.", "Accept or select a task first.")
    site = site_of(workspace)
    site.mainline.tip()
    require_decided(site.host, site.place.path)
    tasks = with_accepted_predecessors(tasks)
    steps = [step_of(task, position) for position, task in enumerate(tasks, 1)]
    freeze_commits(site, steps)
    with transaction.atomic():
        if not dry_run:
            _refuse_duplicates(tasks)
        train = MergeTrain.objects.create(
            workspace=workspace,
            repo_key=site.key,
            branch=site.branch,
            created_by_id=user.pk if user else None,
            strategy=strategy,
            check_command=workspace.check_command.strip() if check else "",
            dry_run=dry_run,
            push=MergeTrain.Push.ASKED if push and not dry_run else MergeTrain.Push.NOT_ASKED,
        )
        _save_steps(train, steps)
        jobs.enqueue_train(train.pk)
        doorbell.ring(f"workspace:{workspace.pk}", f"train:{train.pk}", "board")
    return train


def _save_steps(train: MergeTrain, steps: Sequence[MergeStep]) -> None:
    for step in steps:
        step.train = train
    MergeStep.objects.bulk_create(steps)


def _refuse_duplicates(tasks: Sequence[Task]) -> None:
    """Raise Refused if a task is in a train already, such as after a double click."""
    waiting = MergeStep.objects.filter(task__in=tasks, state__in=MergeStep.OPEN, train__dry_run=False)
    step = waiting.filter(train__state__in=MergeTrain.LIVE).select_related("train").first()
    if step:
        raise Refused(
            f"Task #{step.task_id} is already in merge train #{step.train_id}.",
            "Wait until it has ended, or stop it.",
        )


def step_of(task: Task, position: int) -> MergeStep:
    return MergeStep(
        task=task, position=position, title=task.title, branch=task.branch, fork=task.base_commit
    )


def freeze_commits(site: Site, steps: Sequence[MergeStep]) -> None:
    """Save the tip of each branch. Branches that have moved since they were accepted are left out."""
    tips = refs(site.host, site.place.path, "refs/heads")
    verdicts = Verdict.objects.filter(task__in=[step.task_id for step in steps])
    accepted_by_task = {verdict.task_id: verdict for verdict in verdicts.filter(kind=Verdict.Kind.ACCEPTED)}
    for step in steps:
        step.commit = tips.get(f"refs/heads/{step.branch}", "") if step.branch else ""
        verdict = accepted_by_task.get(step.task_id or 0)
        if not step.branch:
            _leave_out(step, "The task has no branch: it never ran.")
        elif not step.commit:
            _leave_out(step, f"The branch {step.branch} no longer exists.")
        elif verdict and verdict.commit and verdict.commit != step.commit:
            _leave_out(step, "The branch has changed since it was accepted. Review it, then accept it again.")
        elif step.task and (reverted := reverted_step(step.task, site, step.commit)):
            _leave_out(step, why_not(reverted))


def _leave_out(step: MergeStep, reason: str) -> None:
    step.state, step.reason, step.finished_at = MergeStep.State.LEFT_OUT, reason, timezone.now()


def stop_train(train: MergeTrain) -> None:
    """Stop a train. Merged tasks stay merged; a running check is ended."""
    TRAIN_RULES.require(train, TrainVerb.STOP)
    values = {"state": State.CANCELLED, "reason": "Stopped before it started.", "finished_at": timezone.now()}
    if not train.change((State.QUEUED,), **values):
        MergeTrain.objects.filter(pk=train.pk, stop_requested_at=None).update(
            stop_requested_at=timezone.now()
        )
    doorbell.ring(f"train:{train.pk}")


def continue_train(train: MergeTrain) -> None:
    """Continue a stopped train with the task at which it stopped."""
    TRAIN_RULES.require(train, TrainVerb.CONTINUE)
    with transaction.atomic():
        values = {"reason": "", "stop_requested_at": None, "finished_at": None}
        if not train.change((State.STOPPED, State.CANCELLED), state=State.QUEUED, **values):
            raise Refused("Another user has continued or undone this merge train.")
        again = {"state": MergeStep.State.WAITING, "reason": "", "finished_at": None}
        train.steps.filter(state=MergeStep.State.BLOCKED).update(**again)
        MergeTrain.objects.filter(pk=train.pk).update(lease_until=None, lease_owner="")
        jobs.enqueue_train(train.pk)
    doorbell.ring(f"train:{train.pk}")


def undo_train(train: MergeTrain) -> None:
    """Undo a train: the base branch returns to its old tip, or gets a commit that reverts the merges."""
    TRAIN_RULES.require(train, TrainVerb.UNDO)
    with transaction.atomic():
        train.change((State.FINISHED, State.STOPPED, State.CANCELLED), undo_commit="", reason="")
        begin_undo(train)
        jobs.enqueue_train(train.pk)
    doorbell.ring(f"train:{train.pk}")


def begin_undo(train: MergeTrain) -> None:
    """Set the state to undoing. Raises Refused while a train of the repository is running."""
    busy = MergeTrain.objects.filter(repo_key=train.repo_key, state__in=MergeTrain.IN_PROGRESS).first()
    if busy:
        raise Refused(f"Merge train #{busy.pk} is running in this repository.", "Wait until it has ended.")
    train.change(
        (State.FINISHED, State.STOPPED, State.CANCELLED), state=State.UNDOING, stop_requested_at=None
    )


def is_unmerged(task: Task) -> bool:
    """Whether it has a branch that was neither merged by a train nor discarded."""
    return (
        bool(task.branch)
        and not task.is_plan
        and not Verdict.objects.filter(task=task, kind__in=Verdict.SETTLED).exists()
    )


def merge_now(task: Task, *, user: AbstractBaseUser) -> MergeTrain:
    """Accept the branch as it is and start a train for this task alone. Raises Refused and HostError."""
    waiting = MergeStep.objects.filter(task=task, state__in=MergeStep.OPEN)
    step = waiting.filter(train__state__in=MergeTrain.LIVE).first()
    if step:
        raise Refused(
            f"Merge train #{step.train_id} is already merging this task.",
            "The card moves to Done when it is merged.",
        )
    verdicts.accept(task, user=user)
    return start_train(task.workspace, [task], user=user)
