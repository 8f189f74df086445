"""The merge page, merge trains, and resolving conflicts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.answers import answer
from aitask.lib.text import whole_number
from tasks.access import outside_change_for, task_for, train_for
from tasks.answers import answer_on_task
from tasks.models import MergeTrain, Radar, Task, Verdict
from tasks.order.predecessors import standing_on
from tasks.review import queries
from tasks.runs.shell_commands import attach_command
from tasks.trains import conflicts, outside, overlap, reapply, services
from tasks.trains.order import blocked_tasks, in_order
from tasks.verbs import TRAIN_RULES
from workspaces import tmux
from workspaces.access import current_user, workspace_for
from workspaces.merging import Strategy
from workspaces.models import Workspace


@require_GET
def merge_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The tasks to merge, in the order with the fewest conflicts, and past merges."""
    workspace = workspace_for(request.user, pk)
    overlap.enqueue_check(workspace.pk)
    chosen = numbers_in(request.GET.getlist("task"))
    context = merge_context(workspace, set(chosen))
    return render(request, "tasks/review/merge.html", {"nav": "workspaces", **context})


def numbers_in(values: list[str]) -> list[int]:
    """Return the ids of tasks that a query or a form names, in order."""
    return [number for value in values if (number := whole_number(value)) is not None]


def merge_context(workspace: Workspace, chosen: set[int]) -> dict[str, Any]:
    """What the merge page shows. The tasks in `chosen` are ticked; without any, those that are accepted."""
    candidates = services.finished(workspace)
    tasks = in_order(overlap.proposed_order(workspace, candidates))
    after = blocked_tasks(tasks)
    marks = queries.overlaps(candidates)
    with_main, runs = queries.conflicts_with_main(workspace), queries.files_that_run(workspace)
    before = queries.before_merging(workspace)
    verdicts_of = {v.task_id: v for v in Verdict.objects.filter(task__in=tasks)}
    accepted = {pk for pk, verdict in verdicts_of.items() if verdict.kind == Verdict.Kind.ACCEPTED}
    rows = [
        {
            "task": task,
            "verdict": verdicts_of.get(task.pk),
            "is_ticked": task.pk in (chosen or accepted),
            "overlaps": among(marks.get(task.pk, []), tasks),
            "main_conflicts": with_main.get(task.pk, []),
            "runs": runs.get(task.pk, []),
            "before": before.get(task.pk),
            "after": after.get(task.pk, []),
            "stands_on": standing_on(after.get(task.pk, [])),
        }
        for task in tasks
    ]
    return {
        "workspace": workspace,
        "rows": [row for row in rows if _has_changes(row)],
        "unchanged": [row for row in rows if not _has_changes(row)],
        "accepted": accepted,
        "is_chosen": bool(chosen),
        "trains": queries.trains_of(workspace),
        "radar": Radar.objects.filter(workspace=workspace).first(),
        "strategies": [(str(known), known.name.capitalize()) for known in Strategy],
    }


def _has_changes(row: dict[str, Any]) -> bool:
    return bool(row["is_ticked"] or row["verdict"] or row["task"].files_changed)


def among(found: list[queries.Overlap], tasks: list[Task]) -> list[queries.Overlap]:
    known = {task.pk for task in tasks}
    return [each for each in found if each.task in known]


@require_POST
def merge_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a train with the selected tasks, in the order of the page."""
    workspace = workspace_for(request.user, pk)
    chosen = numbers_in(request.POST.getlist("task"))
    found = {task.pk: task for task in Task.objects.filter(workspace=workspace, pk__in=chosen)}
    return answer(
        request,
        lambda: services.start_train(
            workspace,
            [found[task] for task in chosen if task in found],
            user=current_user(request),
            strategy=request.POST.get("strategy", Strategy.MERGE),
            check="check" in request.POST or not workspace.check_command.strip(),
            dry_run="dry_run" in request.POST,
            push="push" in request.POST,
        ),
        to=reverse("merge", args=[pk]),
        go=lambda train: reverse("train", args=[train.pk]),
    )


@require_GET
def train_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A train with its steps. The page reloads its content while the train is running."""
    train = train_for(request.user, pk)
    context = {"nav": "workspaces", **train_context(train)}
    partial = htmx.is_partial(request)
    return render(request, "tasks/review/_train.html" if partial else "tasks/review/train.html", context)


def train_context(train: MergeTrain) -> dict[str, Any]:
    steps = list(train.steps.select_related("task__resolution"))
    ended = sum(not step.is_open for step in steps)
    return {
        "train": train,
        "attach": attach_command(
            train.workspace, tmux.session_name(f"merge-{train.pk}"), train.workspace.host.tmux_socket
        ),
        "workspace": train.workspace,
        "steps": steps,
        "ended": ended,
        "merged": sum(step.state in step.GOOD for step in steps),
        "verbs": TRAIN_RULES.possible(train),
    }


@require_POST
def train_stop(request: HttpRequest, pk: int) -> HttpResponse:
    train = train_for(request.user, pk)
    return _about(train, request, lambda: services.stop_train(train), "Stopping after the current step.")


@require_POST
def train_continue(request: HttpRequest, pk: int) -> HttpResponse:
    train = train_for(request.user, pk)
    text = "Resumed."
    return _about(train, request, lambda: services.continue_train(train), text)


@require_POST
def train_undo(request: HttpRequest, pk: int) -> HttpResponse:
    train = train_for(request.user, pk)
    text = "Undoing the merge."
    return _about(train, request, lambda: services.undo_train(train), text)


def _about(train: MergeTrain, request: HttpRequest, verb: Callable[[], object], text: str) -> HttpResponse:
    return answer(request, verb, text, to=reverse("train", args=[train.pk]))


@require_POST
def outside_put_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Set a branch back that was moved or deleted while a run was going on."""
    change, user = outside_change_for(request.user, pk), current_user(request)
    return answer_on_task(request, change.run.task_id, lambda: outside.put_back(change, user=user))


@require_POST
def outside_keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave a change outside a run as it is."""
    change, user = outside_change_for(request.user, pk), current_user(request)
    verb = partial(outside.keep_change, change, user=user)
    return answer_on_task(request, change.run.task_id, verb, "Kept as it is.")


@require_POST
def task_bring_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Make work that an undo has reverted mergeable again."""
    task = task_for(request.user, pk)
    text = "Reapplied. The task can be merged again."
    return answer_on_task(request, pk, lambda: reapply.reapply(task), text)


@require_POST
def task_resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a run that resolves the task's conflict with the base branch."""
    task, user = task_for(request.user, pk), current_user(request)
    text = "Queued a run that resolves the conflict."
    return answer_on_task(request, pk, lambda: conflicts.resolve(task, user=user), text)


@require_POST
def task_resolved(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept what the agent has written to resolve a conflict, and continue merging."""
    task, user = task_for(request.user, pk), current_user(request)
    return answer(
        request,
        lambda: conflicts.accept_resolution(task, user=user),
        to=reverse("task", args=[pk]),
        go=lambda train: reverse("train", args=[train.pk]),
    )
