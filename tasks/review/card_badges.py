"""What a card says of its way into main: verdict, the merge under way or failed, who is in its way."""

from __future__ import annotations

from collections.abc import Sequence

from aitask.lib.badges import Badge
from tasks.badges import VERDICTS
from tasks.models import MergeStep, MergeTrain, Radar, Run, Task, Verdict
from tasks.review import queries

S = MergeStep.State


SETTLED = {VERDICTS[kind.value] for kind in Verdict.SETTLED}
NOT_MERGED = Badge(
    "not merged", "", "circle-x", "Its branch was not merged: somebody moved it to Done without."
)
UNDONE = Badge("taken back", "needs", "undo-2", "A train had merged it, and was undone.")
ENDED = {
    S.CONFLICT.value: ("conflict", "bad"),
    S.CHECK_FAILED.value: ("check failed", "bad"),
    S.REFUSED.value: ("refused by git", "bad"),
    S.BLOCKED.value: ("merging stopped", "bad"),
    S.LEFT_OUT.value: ("left out", "needs"),
    S.NOTHING.value: ("nothing to merge", ""),
}


def marks_of(tasks: Sequence[Task]) -> dict[int, tuple[Badge, ...]]:
    """The marks of these tasks, whose newest run is known; three small queries for all of them."""
    verdicts = dict(Verdict.objects.values_list("task", "kind"))
    near = queries.from_radars(Radar.objects.all(), {})
    steps = newest_steps()
    found = {}
    for task in tasks:
        marks = [*_verdict(task, verdicts.get(task.pk, "")), *_step(task, steps.get(task.pk))]
        if task.status != Task.Status.DONE and near.get(task.pk):
            marks.append(_overlap(near[task.pk]))
        if marks:
            found[task.pk] = tuple(marks)
    return found


def newest_steps() -> dict[int, MergeStep]:
    """The last real attempt to merge each task that stands in review."""
    tried = MergeStep.objects.filter(task__status=Task.Status.REVIEW, train__dry_run=False)
    return {step.task_id or 0: step for step in tried.select_related("train").order_by("train")}


def _verdict(task: Task, kind: str) -> list[Badge]:
    if kind in VERDICTS:
        return [VERDICTS[kind]]
    return [NOT_MERGED] if task.status == Task.Status.DONE and task.branch else []


def _step(task: Task, step: MergeStep | None) -> list[Badge]:
    """How its merge goes or went, unless the agent has worked on it since."""
    if step is None or _is_old(step, task.last_run):
        return []
    if step.is_open:
        return [_under_way(step.train)] if step.train.is_live else []
    if step.state == S.MERGED:
        return [UNDONE] if step.train.state == MergeTrain.State.UNDONE and not step.brought_back else []
    text, kind = ENDED.get(step.state, ("", ""))
    return [Badge(text, kind, "circle-x" if kind == "bad" else "git-branch", step.reason)] if text else []


def _under_way(train: MergeTrain) -> Badge:
    if train.state == MergeTrain.State.QUEUED:
        story = f"Train {train.pk} waits for its turn. {train.reason}".strip()
        return Badge("waits to merge", "", "clock", story)
    story = f"Train {train.pk} is under way. {train.reason}".strip()
    return Badge("merging", "works", "loader-circle", story)


def _is_old(step: MergeStep, run: Run | None) -> bool:
    ended = step.finished_at
    return bool(run and ended and (run.is_live or (run.finished_at and run.finished_at > ended)))


def _overlap(found: list[queries.Overlap]) -> Badge:
    """One mark, with the tasks and files in its title."""
    conflicts = sum(bool(overlap.conflicts) for overlap in found)
    lines = [f"#{o.task}: {', '.join((o.conflicts or o.files)[:3])}" for o in found[:5]]
    words = f"conflicts with {conflicts}" if conflicts else f"shares files with {len(found)}"
    return Badge(words, "needs" if conflicts else "", "git-branch", "\n".join(lines))
