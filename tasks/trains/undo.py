"""Undoing a merge train: main returns to its old tip, or gets a commit that reverts the merges."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from aitask.lib.leases import LeaseLost
from tasks.models import MergeStep, MergeTrain, Task, Verdict
from tasks.models.trains import tip_before
from tasks.repository import Site
from tasks.trains.train_runner import Parked
from workspaces.git.commands import GitError, git
from workspaces.git.writing import update_refs
from workspaces.hostkit.escapes import printed
from workspaces.merging import Check, CheckLost, MainMoved
from workspaces.merging.checks import Pause
from workspaces.merging.reverting import revert

MAX_TRIES = 10
State = MergeTrain.State


def work(train: MergeTrain, site: Site, patience: float) -> None:
    """Undo the train. Raises GitError, HostError and Parked; may be repeated at any point."""
    for _ in range(MAX_TRIES):
        tip = site.mainline.tip()
        if train.undo_commit and site.mainline.contains(train.undo_commit):
            break
        start = tip_before(train)
        if tip in (train.old_tip, start):
            break
        update_refs(site.write, site.place.path, {f"{site.refs}/undone": (tip, None)})
        try:
            if start and tip == train.tip and not _is_used_elsewhere(train, site):
                site.mainline.retreat(tip, start, f"aitask: undo train {train.pk}")
            else:
                _revert(train, site, tip, patience)
        except MainMoved:
            continue
        break
    else:
        raise GitError(
            f"{train.branch} moved during {MAX_TRIES} attempts.", "Try again when nothing else changes it."
        )
    _finish(train)


def _is_used_elsewhere(train: MergeTrain, site: Site) -> bool:
    """Whether it was pushed, or another branch or tag contains it, which could bring it back to main."""
    kinds = ("refs/heads", "refs/tags", "refs/remotes")
    args = ("for-each-ref", "--format=%(refname)", "--contains", train.tip, *kinds)
    containing = set(filter(None, git(site.host, site.place.path, *args).out.split("\n")))
    own = {f"refs/heads/{step.branch}" for step in train.steps.filter(commit=train.tip)}
    return train.push == MergeTrain.Push.DONE or bool(containing - own - {site.mainline.ref})


def _revert(train: MergeTrain, site: Site, tip: str, patience: float) -> None:
    """Revert everything that the train merged by one commit, which is checked like a merge."""
    if not site.mainline.contains(train.tip):
        raise GitError(
            f"{train.branch} no longer contains what this train merged.", "There is nothing to undo."
        )
    if not _is_child_of(site, train.undo_commit, tip):
        _create_revert(train, site, tip)
    if train.check_command:
        _check(train, site, patience)
    site.mainline.advance(tip, train.undo_commit, f"aitask: undo train {train.pk}")


def _is_child_of(site: Site, commit: str, tip: str) -> bool:
    """Whether the commit exists and its parent is `tip`."""
    args = ("rev-parse", "--quiet", "--verify", f"{commit}^")
    return bool(commit) and git(site.host, site.place.path, *args, check=False).out.strip() == tip


def _create_revert(train: MergeTrain, site: Site, tip: str) -> None:
    worktree = site.merge_worktree(tip)
    worktree.recover(tip)
    merged = train.steps.filter(state=MergeStep.State.MERGED).order_by("-position")
    pairs = [(step.onto, step.candidate) for step in merged]
    names = "\n".join(f"- {step.title} (task {step.task_id})" for step in merged)
    message = f"Undo merge train {train.pk}\n\nThis reverts what it merged:\n{names}\n"
    commit = revert(worktree, tip, pairs, message)
    if not train.change((State.UNDOING,), undo_commit=commit, check_number=train.check_number + 1):
        raise LeaseLost


def _check(train: MergeTrain, site: Site, patience: float) -> None:
    """Check the revert. Raises Parked after `patience` seconds; the check keeps running for the next job."""
    check, pause = site.check(f"undo-{train.check_number}"), Pause()
    if not check.is_started():
        worktree = site.merge_worktree(train.undo_commit)
        worktree.recover(train.undo_commit)
        worktree.prepare_submodules()
        workspace = train.workspace
        check.start(train.check_command, worktree.path, workspace.environment, ssh_agent=workspace.ssh_agent)
    try:
        while (result := check.look(pause.elapsed)) is None:
            _check_stop(train, check, pause.elapsed > patience)
            pause.wait()
    except CheckLost:
        raise GitError("The check of the revert was ended from outside.", "Undo the train again.") from None
    if not result.passed:
        output = printed(result.output)[-2000:]
        raise GitError(f"The check fails without these tasks, so {train.branch} stays as it is.", output)


def _check_stop(train: MergeTrain, check: Check, is_long: bool) -> None:
    train.refresh_from_db(fields=["stop_requested_at"])
    if train.stop_requested_at is not None:
        check.stop()
        raise GitError(f"The undo was stopped: {train.branch} stays as it is.")
    if is_long:
        raise Parked


def _finish(train: MergeTrain) -> None:
    """Set the state to undone, and move the tasks back to Review."""
    merged = train.steps.filter(state=MergeStep.State.MERGED)
    tasks = [step.task_id for step in merged if step.task_id]
    with transaction.atomic():
        if not train.change((State.UNDOING,), state=State.UNDONE, finished_at=timezone.now(), reason=""):
            raise LeaseLost
        Verdict.objects.filter(task__in=tasks, kind=Verdict.Kind.MERGED).delete()
        Task.objects.filter(pk__in=tasks, status=Task.Status.DONE).update(
            status=Task.Status.REVIEW, archived_at=None, updated_at=timezone.now()
        )
