"""Badges of a card about merging: its verdict, its last merge, and its overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aitask.lib.badges import Badge
from tasks.badges import VERDICTS
from tasks.models import MergeStep, MergeTrain, OutsideChange, Radar, Run, Task, Verdict
from tasks.rendering.outside import in_words
from tasks.review import queries

S = MergeStep.State


SETTLED = {VERDICTS[kind.value] for kind in Verdict.SETTLED}
NOT_MERGED = Badge("not merged", "", "circle-x", "The task was closed without merging its branch.")
RAISED = Badge(
    "changed since merge",
    "needs",
    "git-branch",
    "It was merged. Since then its branch has got commits, or the base branch lacks some of them.",
)
UNDONE = Badge("undone", "needs", "undo-2", "It was merged by a merge train that was then undone.")
OUTSIDE = {
    OutsideChange.Kind.BRANCH.value: "branches moved",
    OutsideChange.Kind.FILES.value: "files changed elsewhere",
    OutsideChange.Kind.CONFIG.value: "git settings changed",
}
ENDED = {
    S.CONFLICT.value: ("conflict", "bad"),
    S.CHECK_FAILED.value: ("check failed", "bad"),
    S.REFUSED.value: ("refused by git", "bad"),
    S.BLOCKED.value: ("merge stopped", "bad"),
    S.LEFT_OUT.value: ("left out", "needs"),
    S.NOTHING.value: ("nothing to merge", ""),
}


def marks_of(tasks: Sequence[Task]) -> dict[int, tuple[Badge, ...]]:
    """Return the badges of these tasks, with a few small queries. Their newest runs must be prefetched."""
    pks = [task.pk for task in tasks]
    verdicts = dict(Verdict.objects.filter(task__in=pks).values_list("task", "kind"))
    overlaps = _overlaps({task.workspace_id for task in tasks})
    steps, outside = newest_steps(pks), queries.outside_changes(tasks)
    found = {}
    for task in tasks:
        marks = [
            *_outside(outside.get(task.pk, [])),
            *_verdict(task, verdicts.get(task.pk, "")),
            *_step(task, steps.get(task.pk)),
            *_raised(task, steps.get(task.pk), verdicts.get(task.pk, "")),
        ]
        if task.status != Task.Status.DONE and overlaps.get(task.pk):
            marks.append(_overlap(overlaps[task.pk]))
        if marks:
            found[task.pk] = tuple(marks)
    return found


def newest_steps(tasks: Sequence[int]) -> dict[int, MergeStep]:
    """Return the last step of each of these tasks that is in review, without dry runs."""
    steps = MergeStep.objects.filter(task__in=tasks, task__status=Task.Status.REVIEW, train__dry_run=False)
    shown = steps.select_related("train").defer("output", "files").order_by("train")
    return {step.task_id or 0: step for step in shown}


_known_overlaps: dict[int, tuple[datetime | None, dict[int, list[queries.Overlap]]]] = {}
"The overlaps of each check with its time: a check of 100 branches has thousands of pairs."


def _overlaps(workspaces: set[int]) -> dict[int, list[queries.Overlap]]:
    """Return task → overlaps in the last checks of these workspaces. Reads only checks that are new."""
    found: dict[int, list[queries.Overlap]] = {}
    for pk, at in Radar.objects.filter(workspace__in=workspaces).values_list("pk", "looked_at"):
        known = _known_overlaps.get(pk)
        if known is None or known[0] != at or at is None:
            known = _known_overlaps[pk] = at, queries.from_checks(Radar.objects.filter(pk=pk), {})
        found |= known[1]
    return found


def _verdict(task: Task, kind: str) -> list[Badge]:
    if kind in VERDICTS:
        return [VERDICTS[kind]]
    return [NOT_MERGED] if task.status == Task.Status.DONE and task.branch else []


def _step(task: Task, step: MergeStep | None) -> list[Badge]:
    """Return the state of its last merge, unless an agent has worked on it since."""
    if step is None or _is_old(step, task.last_run):
        return []
    if step.is_open:
        return [_in_progress(step.train)] if step.train.is_live else []
    if step.state == S.MERGED:
        return [UNDONE] if step.train.state == MergeTrain.State.UNDONE and not step.brought_back else []
    text, kind = ENDED.get(step.state, ("", ""))
    return [Badge(text, kind, "circle-x" if kind == "bad" else "git-branch", step.reason)] if text else []


def _raised(task: Task, step: MergeStep | None, verdict: str) -> list[Badge]:
    """Return the badge of a merged task that is back in Review, because it is not merged as it is now."""
    if step is None or step.state != S.MERGED or verdict or _is_old(step, task.last_run):
        return []
    return [] if step.train.state == MergeTrain.State.UNDONE else [RAISED]


def _in_progress(train: MergeTrain) -> Badge:
    if train.state == MergeTrain.State.QUEUED:
        title = f"Merge train #{train.pk} is queued. {train.reason}".strip()
        return Badge("merge queued", "", "clock", title)
    title = f"Merge train #{train.pk} is running. {train.reason}".strip()
    return Badge("merging", "works", "loader-circle", title)


def _is_old(step: MergeStep, run: Run | None) -> bool:
    ended = step.finished_at
    return bool(run and ended and (run.is_live or (run.finished_at and run.finished_at > ended)))


def _outside(changes: list[OutsideChange]) -> list[Badge]:
    """Return one badge for each kind of change outside the task's runs."""
    found = []
    for kind, text in OUTSIDE.items():
        rows = [change for change in changes if change.kind == kind]
        if rows:
            is_named = kind != OutsideChange.Kind.FILES or any(row.by_run for row in rows)
            title = "\n".join(map(in_words, rows))
            found.append(Badge(_named(text, rows), "bad" if is_named else "", "shield-alert", title))
    return found


def _named(text: str, changes: list[OutsideChange]) -> str:
    """Return the text with the name of the branch if there is only one."""
    only = changes[0].branch if len(changes) == 1 else ""
    verb = "moved" if changes[0].new else "deleted"
    return f"{only} {verb}" if only else text


def _overlap(found: list[queries.Overlap]) -> Badge:
    """Return one badge for all overlaps, with the tasks and files in its title."""
    conflicts = [overlap for overlap in found if overlap.conflicts]
    others = conflicts or found
    which = f"#{others[0].task}" if len(others) == 1 else f"{len(others)} tasks"
    lines = [f"#{o.task}: {', '.join((o.conflicts or o.files)[:3])}" for o in found[:5]]
    text = f"conflicts with {which}" if conflicts else f"overlaps {which}"
    return Badge(text, "needs" if conflicts else "", "git-branch", "\n".join(lines))
