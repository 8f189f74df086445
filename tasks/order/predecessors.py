"""The predecessors of tasks, and what a waiting task is told about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from aitask.lib.badges import Badge
from tasks.models import Dependency, Run, Task, Verdict
from workspaces.models import Workspace

MOST_NAMED = 3
"Predecessors that one sentence names."
LONGEST_TITLE = 60


class PredecessorState(StrEnum):
    """How far a predecessor is; the values are shown."""

    BACKLOG = "not started"
    QUEUED = "queued"
    WORKING = "running"
    FINISHED = "in review"
    MERGED = "merged"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DROPPED = "discarded"
    CLOSED = "closed without merging"
    DELETED = "deleted"


STUCK = {
    PredecessorState.FAILED: "failed",
    PredecessorState.CANCELLED: "was cancelled",
    PredecessorState.DROPPED: "was discarded",
    PredecessorState.CLOSED: "was closed without being merged",
    PredecessorState.DELETED: "was deleted",
}
"PredecessorState with which a predecessor stays until somebody does something, and what is said about it."
BADGES = {
    PredecessorState.WORKING: ("works", "loader-circle"),
    PredecessorState.FINISHED: ("good", "circle-check"),
    PredecessorState.MERGED: ("good", "circle-check"),
}
TO_RUN_AGAIN = (PredecessorState.FAILED, PredecessorState.CANCELLED)


@dataclass(frozen=True)
class Predecessor:
    """A task that another one comes after."""

    task: int
    "The task that comes after it."
    number: int
    title: str
    progress: PredecessorState
    until: str
    "What the other task waits for, a `Task.Until`."
    branch: str

    @property
    def name(self) -> str:
        title = self.title
        return f"#{self.number} “{title if len(title) <= LONGEST_TITLE else f'{title[:LONGEST_TITLE]}…'}”"

    @property
    def is_done(self) -> bool:
        """Whether the other task need not wait for it any longer."""
        is_enough = self.until == Task.Until.FINISHED and self.progress == PredecessorState.FINISHED
        return is_enough or self.progress == PredecessorState.MERGED

    @property
    def is_merged(self) -> bool:
        return self.progress == PredecessorState.MERGED

    @property
    def is_stuck(self) -> bool:
        """Whether it does not go on by itself."""
        return self.progress in STUCK

    @property
    def badge(self) -> Badge:
        kind, icon = BADGES.get(self.progress, ("bad", "circle-x") if self.is_stuck else ("", "clock"))
        return Badge(self.progress.value, kind, icon)

    @property
    def is_deleted(self) -> bool:
        return self.progress == PredecessorState.DELETED


def predecessors(dependencies: QuerySet[Dependency]) -> dict[int, list[Predecessor]]:
    """Return task → its predecessors, by one query."""
    runs = Run.objects.filter(task=OuterRef("predecessor")).exclude(
        state=Run.State.CANCELLED, started_at=None
    )
    rows = dependencies.order_by("task", "number").values(
        "task",
        "number",
        "title",
        "predecessor",
        "task__after_until",
        "predecessor__title",
        "predecessor__status",
        "predecessor__branch",
        "predecessor__verdict__kind",
        run_state=Subquery(runs.order_by("-number").values("state")[:1]),
    )
    found: dict[int, list[Predecessor]] = defaultdict(list)
    for row in rows:
        found[row["task"]].append(
            Predecessor(
                task=row["task"],
                number=row["number"],
                title=row["predecessor__title"] or row["title"],
                progress=progress_of(row),
                until=row["task__after_until"],
                branch=row["predecessor__branch"] or "",
            )
        )
    return dict(found)


def progress_of(row: Mapping[str, Any]) -> PredecessorState:
    """Return how far a predecessor is, by its status, verdict and newest run."""
    status, verdict, run = row["predecessor__status"], row["predecessor__verdict__kind"], row["run_state"]
    if row["predecessor"] is None:
        return PredecessorState.DELETED
    if verdict == Verdict.Kind.MERGED:
        return PredecessorState.MERGED
    if run in Run.LIVE:
        return PredecessorState.QUEUED if run == Run.State.QUEUED else PredecessorState.WORKING
    if verdict == Verdict.Kind.DROPPED:
        return PredecessorState.DROPPED
    if status == Task.Status.DONE:
        return PredecessorState.CLOSED
    if verdict == Verdict.Kind.ACCEPTED:
        return PredecessorState.FINISHED
    if run in (Run.State.FAILED, Run.State.LOST):
        return PredecessorState.FAILED
    if run == Run.State.CANCELLED:
        return PredecessorState.CANCELLED
    return PredecessorState.BACKLOG if status == Task.Status.BACKLOG else PredecessorState.FINISHED


def predecessors_of(task: Task) -> list[Predecessor]:
    return predecessors(Dependency.objects.filter(task=task)).get(task.pk, [])


def predecessors_by_task(tasks: Iterable[Task]) -> dict[int, list[Predecessor]]:
    """Return task → its predecessors, of those that have any, by one query."""
    return predecessors(Dependency.objects.filter(task__in=[task.pk for task in tasks]))


def reasons_to_wait(workspace: Workspace) -> dict[int, str]:
    """Return task → why its queued run waits for predecessors, by one query.

    Only the first run of a branch waits: later ones go on where it started.
    """
    waiting = Q(
        task__workspace=workspace,
        task__branch="",
        task__runs__state=Run.State.QUEUED,
        task__runs__starts_anyway=False,
    )
    found = predecessors(Dependency.objects.filter(waiting))
    return {task: why for task, each in found.items() if (why := reason_to_wait(each))}


def reason_of(run: Run) -> str:
    """Return why a run waits for predecessors of its task; empty if it does not."""
    if run.starts_anyway or run.task.branch:
        return ""
    return reason_to_wait(predecessors_of(run.task))


def reason_to_wait(found: Sequence[Predecessor]) -> str:
    """Return why a task with these predecessors can't start yet; empty if it can."""
    stuck = next((each for each in found if each.is_stuck and not each.is_done), None)
    if stuck:
        again = "Run it again, remove" if stuck.progress in TO_RUN_AGAIN else "Remove"
        said = f"The last run of {stuck.name}" if stuck.progress in TO_RUN_AGAIN else stuck.name
        return f"{said} {STUCK[stuck.progress]}. {again} it from “After”, or start this task anyway."
    names = [each.name for each in found if not each.is_done]
    until = found[0].until if found else ""
    words = "be merged" if until == Task.Until.MERGED else "finish"
    return f"Waits for {_listed(names)} to {words}." if names else ""


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more tasks"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def is_stacked(task: Task) -> bool:
    """Whether the task works on top of the branch of its predecessor."""
    return task.after_until == Task.Until.FINISHED and task.dependencies.exists()


def is_from_elsewhere(task: Task) -> bool:
    """Whether its branch started from another one than the workspace's base branch."""
    is_other = task.base_branch not in ("", task.workspace.base_branch)
    return is_other or is_stacked(task)


def under(task: Task) -> Predecessor | None:
    """Return the predecessor whose branch a stacked task stands on until that is merged."""
    if task.after_until != Task.Until.FINISHED:
        return None
    return standing_on(predecessors_of(task))


def standing_on(found: Sequence[Predecessor]) -> Predecessor | None:
    """Return the one of a task's predecessors whose branch it stands on."""
    stacked = (each for each in found if each.until == Task.Until.FINISHED)
    return next((each for each in stacked if each.branch and not each.is_merged), None)


def start_of(task: Task) -> str:
    """Return the name of the branch that the task's own branch is created from."""
    below = under(task)
    return below.branch if below else task.base_branch or task.workspace.base_branch
