"""What pages and cards show of reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tasks.models import Comment, MergeStep, MergeTrain, Radar, Task, Verdict
from tasks.models.trains import undone_step
from tasks.verbs import possible
from workspaces.models import Workspace


@dataclass(frozen=True)
class Overlap:
    """Another task that touches the same places; `conflicts` are the files that would not merge."""

    task: int
    title: str
    files: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def overlaps(tasks: Iterable[Task]) -> dict[int, list[Overlap]]:
    """For each of the tasks those that it overlaps with, worst first; from the radar's last look."""
    tasks = list(tasks)
    titles = {task.pk: task.title for task in tasks}
    radars = Radar.objects.filter(workspace__in={task.workspace_id for task in tasks})
    return from_radars(radars, titles)


def from_radars(radars: Iterable[Radar], titles: dict[int, str]) -> dict[int, list[Overlap]]:
    """Task → what it overlaps with, worst first; one without a title in `titles` is named by its number."""
    found: dict[int, list[Overlap]] = defaultdict(list)
    for radar in radars:
        for pair in radar.pairs:
            for mine, other in ((pair["left"], pair["right"]), (pair["right"], pair["left"])):
                title = titles.get(other, f"#{other}")
                found[mine].append(Overlap(other, title, pair["files"], pair["conflicts"]))
    for each in found.values():
        each.sort(key=lambda overlap: (-len(overlap.conflicts), -len(overlap.files), overlap.task))
    return dict(found)


def conflicts_with_main(workspace: Workspace) -> dict[int, list[str]]:
    """Task → files that would not merge into today's main, as the radar saw it last."""
    radar = Radar.objects.filter(workspace=workspace).first()
    known: dict[str, dict[str, Any]] = radar.with_main if radar else {}
    return {int(pk): found["conflicts"] for pk, found in known.items() if found.get("conflicts")}


def last_step(task: Task) -> MergeStep | None:
    """The task's turn in the newest train that it was in."""
    return MergeStep.objects.filter(task=task).select_related("train").order_by("-train").first()


def review_context(task: Task, user: AbstractBaseUser) -> dict[str, Any]:
    """What the bar above the differences shows."""
    mine = overlaps(Task.objects.filter(workspace=task.workspace_id)).get(task.pk, [])
    return {
        "verbs": possible(task, task.last_run),
        "run": task.last_run,
        "verdict": Verdict.objects.filter(task=task).select_related("by").first(),
        "step": last_step(task),
        "overlaps": mine,
        "main_conflicts": conflicts_with_main(task.workspace).get(task.pk, []),
        "taken_back": undone_step(task),
        "drafts": Comment.objects.filter(task=task, author=user.pk, sent_at=None).count(),
    }


def trains_of(workspace: Workspace, most: int = 20) -> list[MergeTrain]:
    """The newest trains first, with their steps."""
    return list(MergeTrain.objects.filter(workspace=workspace).prefetch_related("steps")[:most])
