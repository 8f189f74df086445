"""Take back what a train merged: main returns while nothing was built on it, else changes are reverted."""

from __future__ import annotations

from itertools import pairwise

from django.db import transaction
from django.utils import timezone

from aitask.lib.leases import LeaseLost
from tasks.models import MergeStep, MergeTrain, Task, Verdict
from tasks.repository import Site
from tasks.trains.train_runner import Parked
from workspaces.git.commands import GitError, git
from workspaces.git.writing import update_refs
from workspaces.merging import Check, CheckLost, MainMoved
from workspaces.merging.checks import Pause
from workspaces.merging.conflicts import visible
from workspaces.merging.reverting import revert

MAX_TRIES = 10
State = MergeTrain.State


def work(train: MergeTrain, site: Site, patience: float) -> None:
    """Undo the train. Raises GitError, HostError and Parked; may be repeated at any point."""
    for _ in range(MAX_TRIES):
        tip = site.mainline.tip()
        if train.undo_commit and site.mainline.contains(train.undo_commit):
            break
        start = before(train)
        if tip in (train.old_tip, start):
            break
        update_refs(site.write, site.place.path, {f"{site.refs}/undone": (tip, None)})
        try:
            if start and tip == train.tip and not _is_built_upon(train, site):
                site.mainline.retreat(tip, start, f"aitask: undo train {train.pk}")
            else:
                _revert(train, site, tip, patience)
        except MainMoved:
            continue
        break
    else:
        raise GitError(f"{train.branch} moved {MAX_TRIES} times meanwhile.", "Try again when it is quiet.")
    _undone(train)


def before(train: MergeTrain) -> str:
    """Where main was before the first merge; empty when a person's commits came between the merges."""
    merged = list(train.steps.filter(state=MergeStep.State.MERGED).order_by("position"))
    between = any(later.onto != earlier.candidate for earlier, later in pairwise(merged))
    return "" if between or not merged else merged[0].onto


def _is_built_upon(train: MergeTrain, site: Site) -> bool:
    """Whether a push, a tag or another branch holds what was merged: with them it would come back to main."""
    kinds = ("refs/heads", "refs/tags", "refs/remotes")
    words = ("for-each-ref", "--format=%(refname)", "--contains", train.tip, *kinds)
    holding = set(filter(None, git(site.host, site.place.path, *words).out.split("\n")))
    own = {f"refs/heads/{step.branch}" for step in train.steps.filter(commit=train.tip)}
    return train.push == MergeTrain.Push.DONE or bool(holding - own - {site.mainline.ref})


def _revert(train: MergeTrain, site: Site, tip: str, patience: float) -> None:
    """One commit that takes back all that the train brought; checked as any other."""
    if not site.mainline.contains(train.tip):
        raise GitError(
            f"{train.branch} does not hold what this train merged any more.", "There is nothing to undo."
        )
    if not _stands_on(site, train.undo_commit, tip):
        _make_revert(train, site, tip)
    if train.check_command:
        _check(train, site, patience)
    site.mainline.advance(tip, train.undo_commit, f"aitask: undo train {train.pk}")


def _stands_on(site: Site, commit: str, tip: str) -> bool:
    """Whether an earlier worker has made the commit for exactly this main."""
    words = ("rev-parse", "--quiet", "--verify", f"{commit}^")
    return bool(commit) and git(site.host, site.place.path, *words, check=False).out.strip() == tip


def _make_revert(train: MergeTrain, site: Site, tip: str) -> None:
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
    """Raises Parked when it takes longer than `patience` seconds; who comes next finds it running."""
    check, pause = site.check(f"undo-{train.check_number}"), Pause()
    if not check.is_started():
        worktree = site.merge_worktree(train.undo_commit)
        worktree.recover(train.undo_commit)
        worktree.prepare_submodules()
        check.start(train.check_command, worktree.path, train.workspace.environment)
    try:
        while (result := check.look(pause.elapsed)) is None:
            _look_up(train, check, pause.elapsed > patience)
            pause.wait()
    except CheckLost:
        raise GitError("The check of the undone state was ended from outside.", "Undo again.") from None
    if not result.passed:
        said = visible(result.output)[-2000:]
        raise GitError(f"Without these tasks the check fails, so {train.branch} stays as it is.", said)


def _look_up(train: MergeTrain, check: Check, is_long: bool) -> None:
    train.refresh_from_db(fields=["stop_requested_at"])
    if train.stop_requested_at is not None:
        check.stop()
        raise GitError(f"The undo was stopped: {train.branch} stays as it is.")
    if is_long:
        raise Parked


def _undone(train: MergeTrain) -> None:
    """The tasks stand in review again, not accepted."""
    merged = train.steps.filter(state=MergeStep.State.MERGED)
    tasks = [step.task_id for step in merged if step.task_id]
    with transaction.atomic():
        if not train.change((State.UNDOING,), state=State.UNDONE, finished_at=timezone.now(), reason=""):
            raise LeaseLost
        Verdict.objects.filter(task__in=tasks, kind=Verdict.Kind.MERGED).delete()
        Task.objects.filter(pk__in=tasks, status=Task.Status.DONE).update(
            status=Task.Status.REVIEW, updated_at=timezone.now()
        )
