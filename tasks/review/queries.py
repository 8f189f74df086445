"""Reviews, overlaps and merge trains, as pages and cards show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet

from tasks.access import visible_tasks
from tasks.models import Comment, MergeStep, MergeTrain, OutsideChange, Radar, Resolution, Task, Verdict
from tasks.models.trains import undone_step
from tasks.order.predecessors import under
from tasks.verbs import possible
from workspaces.access import Visitor
from workspaces.models import Workspace

MOST_COUNTED = 99
"Tasks that are counted in a review queue; with more, it says so."


@dataclass(frozen=True)
class Overlap:
    """Another task that changes the same files. `conflicts` are the files that git can't merge."""

    task: int
    title: str
    files: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def overlaps(tasks: Iterable[Task]) -> dict[int, list[Overlap]]:
    """Return the overlaps of each task in the last overlap check, worst first."""
    tasks = list(tasks)
    titles = {task.pk: task.title for task in tasks}
    checks = Radar.objects.filter(workspace__in={task.workspace_id for task in tasks})
    return from_checks(checks, titles)


def from_checks(checks: Iterable[Radar], titles: dict[int, str]) -> dict[int, list[Overlap]]:
    """Return task → overlaps, worst first. A task without a title in `titles` is named by its number."""
    found: dict[int, list[Overlap]] = defaultdict(list)
    for check in checks:
        for pair in check.pairs:
            for task, other in ((pair["left"], pair["right"]), (pair["right"], pair["left"])):
                title = titles.get(other, f"#{other}")
                found[task].append(Overlap(other, title, pair["files"], pair["conflicts"]))
    for each in found.values():
        each.sort(key=lambda overlap: (-len(overlap.conflicts), -len(overlap.files), overlap.task))
    return dict(found)


def conflicts_with_main(workspace: Workspace) -> dict[int, list[str]]:
    """Return task → files that conflict with the base branch, from the last overlap check."""
    return _of_last_check(workspace, "conflicts")


def outside_changes(tasks: Sequence[Task]) -> dict[int, list[OutsideChange]]:
    """Return what has changed outside the runs of these tasks and nobody has decided about, by task."""
    pks = [task.pk for task in tasks]
    rows = OutsideChange.objects.filter(state=OutsideChange.State.OPEN, run__task__in=pks)
    found: dict[int, list[OutsideChange]] = defaultdict(list)
    for row in rows.annotate(task=F("run__task")):
        if not _was_removed(row):
            found[row.task].append(row)
    return found


def _was_removed(change: OutsideChange) -> bool:
    """Whether it is a branch that was deleted with the worktree of a task that was merged or discarded."""
    settled = Verdict.objects.filter(kind__in=Verdict.SETTLED, task__branch=change.branch)
    return bool(change.branch) and not change.new and settled.exists()


def files_that_run(workspace: Workspace) -> dict[int, list[str]]:
    """Return task → changed files that tools run by themselves, from the last overlap check."""
    return _of_last_check(workspace, "runs")


def files_in_the_way(workspace: Workspace) -> dict[int, list[str]]:
    """Return task → files in the user's checkout that stop a merge, from the last overlap check."""
    return _of_last_check(workspace, "blocked")


def before_merging(workspace: Workspace) -> dict[int, dict[str, Any]]:
    """Return task → what to know before it is merged, from the last overlap check.

    That is which files are in the way, and how many commits of origin's base branch it brings.
    """
    files, upstream = files_in_the_way(workspace), _of_last_check(workspace, "upstream")
    branch = workspace.base_branch
    return {
        pk: {"files": files.get(pk, []), "upstream": upstream.get(pk, 0), "branch": branch}
        for pk in {*files, *upstream}
    }


def _of_last_check(workspace: Workspace, name: str) -> dict[int, Any]:
    check = Radar.objects.filter(workspace=workspace).first()
    known: dict[str, dict[str, Any]] = check.with_main if check else {}
    return {int(pk): found[name] for pk, found in known.items() if found.get(name)}


def last_step(task: Task) -> MergeStep | None:
    """Return the task's step in its newest merge train."""
    return MergeStep.objects.filter(task=task).select_related("train").order_by("-train").first()


@dataclass(frozen=True)
class ReviewQueue:
    """The other tasks that wait for a review, in the order of the board. It has no end: it goes round."""

    count: int
    previous: int | None = None
    next: int | None = None

    @property
    def words(self) -> str:
        return f"{MOST_COUNTED}+ more" if self.count > MOST_COUNTED else f"{self.count} more"


def review_queue(task: Task, user: Visitor) -> ReviewQueue:
    """Return the way from this task through the tasks that the user can review."""
    waiting = visible_tasks(user).filter(status=Task.Status.REVIEW).exclude(branch="").exclude(pk=task.pk)
    waiting = waiting.exclude(verdict__kind__in=Verdict.Kind.values).select_related(None)
    waiting = waiting.exclude(kind=Task.Kind.PLAN)
    onward, back = waiting.order_by("rank", "pk"), waiting.order_by("-rank", "-pk")
    below = Q(rank__gt=task.rank) | Q(rank=task.rank, pk__gt=task.pk)
    above = Q(rank__lt=task.rank) | Q(rank=task.rank, pk__lt=task.pk)
    return ReviewQueue(
        onward[: MOST_COUNTED + 1].count(),
        _first(back.filter(above)) or _first(back),
        _first(onward.filter(below)) or _first(onward),
    )


def _first(tasks: QuerySet[Task]) -> int | None:
    return tasks.values_list("pk", flat=True).first()


def review_context(task: Task, user: User) -> dict[str, Any]:
    """Return the context of the review bar."""
    found = overlaps(Task.objects.filter(workspace=task.workspace_id)).get(task.pk, [])
    run = task.last_run
    waits = Resolution.objects.filter(task=task, state=Resolution.State.READY).exists()
    return {
        "verbs": possible(task, run),
        "run": run,
        "accept_is_next": not waits and (run is None or bool(run.commit and not run.is_cut_short)),
        "verdict": Verdict.objects.filter(task=task).select_related("by").first(),
        "step": last_step(task),
        "overlaps": found,
        "main_conflicts": conflicts_with_main(task.workspace).get(task.pk, []),
        "stands_on": under(task),
        "runs": files_that_run(task.workspace).get(task.pk, []),
        "before": before_merging(task.workspace).get(task.pk),
        "taken_back": undone_step(task),
        "queue": review_queue(task, user),
        "drafts": Comment.objects.filter(task=task, author=user.pk, sent_at=None).count(),
    }


def trains_of(workspace: Workspace, most: int = 20) -> list[MergeTrain]:
    """Return merge trains with their steps, newest first."""
    return list(MergeTrain.objects.filter(workspace=workspace).prefetch_related("steps")[:most])
