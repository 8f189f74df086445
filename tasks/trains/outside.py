"""Changes outside a run's branch and worktree: which of them to show, and putting branches back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q
from django.utils import timezone

from aitask.lib import columns, doorbell
from aitask.lib.errors import Refused
from tasks.models import ByHand, MergeStep, MergeTrain, OutsideChange, Resolution, Run, Task, Verdict
from tasks.models.trains import tip_before
from tasks.repository import Site, site_of
from workspaces.git.repos import TASK_PREFIX, refs
from workspaces.git.rescue import keep
from workspaces.git.writing import update_refs
from workspaces.hostkit import wire
from workspaces.merging import Blocked, Mainline, MainMoved

MAX_STEPS = 1000
MAX_CHANGES = 100
"Maximum number of changes that are shown of one run."
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
BRANCH = "refs/heads/"
UNDONE = (MergeTrain.State.UNDOING, MergeTrain.State.UNDONE)
MOVED = (MergeStep.State.MOVING, MergeStep.State.MERGED)
State = OutsideChange.State


def note_events(run: Run, events: list[wire.RunEvent]) -> None:
    """Save what has changed outside a run, in the events' transaction, unless the app itself did it."""
    for event in events:
        if event["kind"] != "outside" or run.outside_changes.count() >= MAX_CHANGES:
            continue
        if event["change"] == "branch":
            _note_branch(run, event["name"], event.get("old") or "", event.get("new") or "")
        elif event["change"] == "head":
            _note_head(run, event)
        else:
            _note_files(run, event)


def _note_branch(run: Run, name: str, old: str, new: str) -> None:
    if not (name.startswith(BRANCH) and COMMIT.fullmatch(old) and (not new or COMMIT.fullmatch(new))):
        return
    earlier = run.outside_changes.filter(kind="branch", name=name, state=State.OPEN).first()
    if earlier and earlier.new == old:
        old = earlier.old
    branch = name.removeprefix(BRANCH)
    new = _before_trains(branch, old, new)
    if old == new:
        if earlier:
            earlier.delete()
    elif not _is_work_of_another_task(run, branch, new):
        _save(run, "branch", name, old=old, new=new)


def _note_head(run: Run, event: wire.OutsideEvent) -> None:
    """Save that another branch is checked out; forget it if the first one is checked out again."""
    old, new = event.get("old") or "", event.get("new") or ""
    earlier = run.outside_changes.filter(kind="head", name=event["name"][:1500], state=State.OPEN).first()
    if earlier and earlier.old == new:
        earlier.delete()
    elif old != new:
        _save(run, "head", event["name"], old=earlier.old if earlier else old, new=new)


def _note_files(run: Run, event: wire.OutsideEvent) -> None:
    paths = event.get("paths") or []
    earlier = run.outside_changes.filter(
        kind=event["change"], name=event["name"][:1500], state=State.OPEN
    ).first()
    known = list(earlier.paths) if earlier else []
    paths = known + [path for path in paths if path not in known]
    more = max(0, event.get("more") or 0) + max(0, len(paths) - wire.MAX_OUTSIDE_PATHS)
    by_run = bool(event.get("by_run")) or bool(earlier and earlier.by_run)
    kept = [path[:1000] for path in paths[: wire.MAX_OUTSIDE_PATHS]]
    _save(run, event["change"], event["name"], paths=kept, more=more, by_run=by_run)


def _save(run: Run, kind: str, name: str, **values: object) -> None:
    row = OutsideChange(run=run, kind=kind, name=name, **values)
    columns.fit(row, ("name", "more", "old", "new"))
    defaults = {field: getattr(row, field) for field in values}
    OutsideChange.objects.update_or_create(
        run=run, kind=kind, name=row.name, state=State.OPEN, defaults=defaults
    )


# What the app itself does


def _before_trains(branch: str, old: str, new: str) -> str:
    """Return the commit that the branch had before merge trains and undos moved it to `new`.

    It is `old` if nothing else has moved it.
    """
    at = new
    for _ in range(MAX_STEPS):
        if at == old or not at:
            break
        step = MergeStep.objects.filter(
            candidate=at, state__in=MOVED, train__branch=branch, train__dry_run=False
        ).first()
        if step is None:
            return old if _was_undone(branch, old, at) else at
        at = step.onto
    return at


def _was_undone(branch: str, old: str, new: str) -> bool:
    trains = MergeTrain.objects.filter(branch=branch, state__in=UNDONE)
    if trains.filter(undo_commit=new).exists():
        return True
    return any(tip_before(train) == new for train in trains.filter(tip=old))


def _is_work_of_another_task(run: Run, branch: str, new: str) -> bool:
    """Whether another task has this branch, and the app or a run of it may have changed it."""
    others = Task.objects.filter(branch=branch, workspace__repo_path=run.task.workspace.repo_path)
    for task in others.exclude(pk=run.task_id):
        at_the_same_time = Q(finished_at=None) | Q(finished_at__gte=run.started_at or run.queued_at)
        if not new:
            return Verdict.objects.filter(task=task, kind__in=Verdict.SETTLED).exists()
        return (
            task.runs.filter(commit=new).exists()  # also if it ended while this run was being started
            or task.runs.exclude(state=Run.State.QUEUED).filter(at_the_same_time).exists()
            or ByHand.objects.filter(task=task).exists()
            or Resolution.objects.filter(task=task, asked_at__gte=run.queued_at).exists()
            or MergeStep.objects.filter(task=task, brought_back=new).exists()
        )
    return branch.startswith(TASK_PREFIX)  # of another installation, or of a deleted task


# What a user can do


def keep_change(change: OutsideChange, *, user: AbstractBaseUser) -> None:
    """Leave everything as it is, and show the change no longer. Raises Refused."""
    if not _decide(change, State.KEPT, user):
        raise Refused("This was decided already.", "Reload the page.")


def put_back(change: OutsideChange, *, user: AbstractBaseUser) -> str:
    """Set the branch back to its old commit, if it has not moved on. Return what was done; raises Refused.

    A rescue ref keeps the commit that it had. Files that have the branch checked out follow, without force.
    """
    if change.kind != OutsideChange.Kind.BRANCH or change.state != State.OPEN:
        raise Refused("There is nothing to put back.", "Reload the page.")
    site = site_of(change.run.task.workspace)
    repo = site.place.path
    tip = refs(site.host, repo, change.name).get(change.name, "")
    if tip == change.old:
        _decide_all(change, State.PUT_BACK, user)
        return f"{change.branch} is at {change.old[:10]} already."
    if tip != change.new:
        raise Refused(f"{change.branch} has moved on.", "Look at its log, and decide by hand.")
    kept = keep(site.write, repo, change.run.task_id, tip, "put back") if tip else ""
    if tip:
        _move_back(site, change)
    else:
        update_refs(site.write, repo, {change.name: (change.old, "0" * len(change.old))})
    _decide_all(change, State.PUT_BACK, user)
    rescued = f" What it had is kept in {kept}." if kept else ""
    return f"{change.branch} is at {change.old[:10]} again.{rescued}"


def _move_back(site: Site, change: OutsideChange) -> None:
    branch = Mainline(site.write, site.place, change.branch)
    branch.check_ready()
    try:
        branch.put_back(change.new, change.old, "aitask: put back")
    except MainMoved:
        raise Refused(f"{change.branch} has moved on.", "Reload the page.") from None


def _decide_all(change: OutsideChange, state: str, user: AbstractBaseUser) -> None:
    """Decide about the same change in all runs that have noticed it."""
    workspace = change.run.task.workspace
    same = OutsideChange.objects.filter(
        kind=change.kind,
        name=change.name,
        new=change.new,
        state=State.OPEN,
        run__task__workspace__repo_path=workspace.repo_path,
    )
    for row in same.select_related("run"):
        _decide(row, state, user)


def _decide(change: OutsideChange, state: str, user: AbstractBaseUser) -> bool:
    decided = change.change((State.OPEN,), state=state, decided_at=timezone.now(), decided_by_id=user.pk)
    doorbell.ring(f"task:{change.run.task_id}")
    return decided


# Merge trains


@dataclass(frozen=True)
class Suspect:
    """A run while which files changed that a merge would overwrite."""

    task: int
    run: int

    def __str__(self) -> str:
        return f"run {self.run} of task #{self.task}"


def blocked_by(error: Blocked) -> Blocked:
    """Return the error with the runs while which the files changed that are in the way."""
    found = _suspects(error.place, error.paths) if error.paths else []
    if not found:
        return error
    during = " and ".join(map(str, found[:3]))
    hint = f"They changed while {during} was going on. {error.hint}"
    return Blocked(error.reason, hint, code=error.code, place=error.place, paths=error.paths)


def _suspects(place: str, paths: Iterable[str]) -> list[Suspect]:
    rows = OutsideChange.objects.filter(kind="files", name=place).select_related("run").order_by("-pk")[:100]
    met = (row for row in rows if _overlap(row.paths, set(paths)))
    return list(dict.fromkeys(Suspect(row.run.task_id, row.run.number) for row in met))


def _overlap(changed: list[str], paths: set[str]) -> bool:
    """Whether one of the paths has changed. A new folder is listed by its name, with a slash."""
    return any(
        path in paths or (path.endswith("/") and any(other.startswith(path) for other in paths))
        for path in changed
    )
