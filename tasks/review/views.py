"""Verdicts, merge trains and worktrees, as a person uses them in the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.access import task_for
from tasks.models import MergeTrain, Radar, Task, Verdict
from tasks.review import queries, radar, resolve, taken_back, trains, verdicts, worktrees
from workspaces.access import person, visible_workspaces, workspace_for, workspace_for_change
from workspaces.hosts import HostError
from workspaces.merging import Strategy
from workspaces.models import Workspace

Verb = Callable[[], object]


def answer(request: HttpRequest, verb: Verb, said: str, to: str, *, stay: bool = True) -> HttpResponse:
    """Do it and say so, or say why not."""
    try:
        verb()
    except (Refused, HostError) as error:
        return htmx.refused(request, error.reason, error.hint, to=to)
    return htmx.done(request, said, to=to, stay=stay)


@require_POST
def task_verdict(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """One of VERDICTS about a task."""
    task, user = task_for(request.user, pk), person(request)
    message = request.POST.get("message", "")
    known: dict[str, tuple[Verb, str]] = {
        "accept": (lambda: verdicts.accept(task, user=user), "Accepted: ready to merge."),
        "take-back": (lambda: verdicts.take_back(task), "Not accepted any more."),
        "send-back": (lambda: verdicts.send_back(task, message, user=user), "Sent back to the agent."),
        "drop": (lambda: verdicts.drop(task, user=user), "Dropped; a rescue ref keeps the work."),
        "restore": (lambda: verdicts.restore(task), "Restored: branch and worktree are there again."),
        "start-over": (lambda: verdicts.start_over(task, user=user), "Queued, from the start."),
        "bring-back": (lambda: taken_back.bring_back(task), "Brought back: it can be merged again."),
        "resolve": (lambda: resolve.resolve(task, user=user), "The agent resolves the conflict."),
    }
    work, said = known[verb]
    return answer(request, work, said, reverse("task", args=[pk]))


@require_GET
def merge_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What can be merged, in the order with the fewest conflicts, and the trains so far."""
    workspace = workspace_for(request.user, pk)
    radar.soon(workspace.pk)
    return render(request, "tasks/review/merge.html", {"nav": "workspaces", **merge_context(workspace)})


def merge_context(workspace: Workspace) -> dict[str, Any]:
    candidates = trains.finished(workspace)
    tasks = radar.proposed_order(workspace, candidates)
    marks = queries.overlaps(candidates)
    with_main = queries.conflicts_with_main(workspace)
    verdicts_of = {v.task_id: v for v in Verdict.objects.filter(task__in=tasks)}
    rows = [
        {
            "task": task,
            "verdict": verdicts_of.get(task.pk),
            "overlaps": of_these(marks.get(task.pk, []), tasks),
            "main_conflicts": with_main.get(task.pk, []),
        }
        for task in tasks
    ]
    return {
        "workspace": workspace,
        "rows": rows,
        "accepted": sum(row["verdict"] is not None for row in rows),
        "trains": queries.trains_of(workspace),
        "radar": Radar.objects.filter(workspace=workspace).first(),
        "strategies": [(str(known), known.name.capitalize()) for known in Strategy],
    }


def of_these(found: list[queries.Overlap], tasks: list[Task]) -> list[queries.Overlap]:
    known = {task.pk for task in tasks}
    return [overlap for overlap in found if overlap.task in known]


@require_POST
def merge_start(request: HttpRequest, pk: int) -> HttpResponse:
    """The ticked tasks, in the order they stand on the page."""
    workspace = workspace_for(request.user, pk)
    numbers = [whole_number(value) for value in request.POST.getlist("task")]
    chosen = [number for number in numbers if number is not None]
    found = {task.pk: task for task in Task.objects.filter(workspace=workspace, pk__in=chosen)}
    here = reverse("merge", args=[pk])
    try:
        train = trains.start_train(
            workspace,
            [found[task] for task in chosen if task in found],
            user=person(request),
            strategy=request.POST.get("strategy", Strategy.MERGE),
            check="check" in request.POST or not workspace.check_command.strip(),
            dry_run="dry_run" in request.POST,
            push="push" in request.POST,
        )
    except (Refused, HostError) as error:
        return htmx.refused(request, error.reason, error.hint, to=here)
    return htmx.done(request, to=reverse("train", args=[train.pk]), stay=False)


def train_for(request: HttpRequest, pk: int) -> MergeTrain:
    trains_seen = MergeTrain.objects.filter(workspace__in=visible_workspaces(request.user))
    return get_object_or_404(trains_seen.select_related("workspace", "created_by"), pk=pk)


@require_GET
def train_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One train with its steps; the page asks for its part again while the train is under way."""
    train = train_for(request, pk)
    context = {"nav": "workspaces", **train_context(train)}
    partial = htmx.is_partial(request)
    return render(request, "tasks/review/_train.html" if partial else "tasks/review/train.html", context)


def train_context(train: MergeTrain) -> dict[str, Any]:
    steps = list(train.steps.select_related("task"))
    ended = sum(not step.is_open for step in steps)
    return {
        "train": train,
        "workspace": train.workspace,
        "steps": steps,
        "ended": ended,
        "merged": sum(step.state in step.GOOD for step in steps),
        "can_go_on": train.state in ("stopped", "cancelled")
        and any(step.is_open or step.state == step.State.BLOCKED for step in steps),
        "can_undo": not train.is_live
        and not train.dry_run
        and bool(train.tip)
        and train.tip != train.old_tip
        and train.state != MergeTrain.State.UNDONE,
    }


@require_POST
def train_verb(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    train = train_for(request, pk)
    known: dict[str, tuple[Verb, str]] = {
        "stop": (lambda: trains.stop_train(train), "It stops after the step that it is at."),
        "continue": (lambda: trains.go_on(train), "It goes on."),
        "undo": (lambda: trains.undo_train(train), "It is being taken back."),
    }
    work, said = known[verb]
    return answer(request, work, said, reverse("train", args=[pk]))


@require_GET
def worktrees_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The frame; the trees come when the host has been asked."""
    workspace = workspace_for(request.user, pk)
    return render(request, "workspaces/worktrees.html", {"nav": "workspaces", "workspace": workspace})


@require_GET
def worktrees_list(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = workspace_for(request.user, pk)
    context: dict[str, Any] = {"workspace": workspace}
    try:
        found = worktrees.survey(workspace)
        sizes = [standing.size_kib for standing in found if standing.size_kib]
        context |= {"trees": found, "total": sum(sizes) * 1024, "gone": any(tree.gone for tree in found)}
    except (Refused, HostError) as error:
        context |= {"error": error}
    return render(request, "workspaces/_worktrees.html", context)


@require_POST
def worktree_verb(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Remove or adopt one, or have git forget those that are gone."""
    change = verb in ("remove", "prune")
    workspace = (workspace_for_change if change else workspace_for)(request.user, pk)
    path = request.POST.get("path", "")
    known: dict[str, tuple[Verb, str]] = {
        "remove": (lambda: worktrees.remove(workspace, path), "Removed; a rescue ref keeps the work."),
        "adopt": (
            lambda: worktrees.adopt(workspace, path, user=person(request)),
            "It is a task in review now.",
        ),
        "prune": (lambda: worktrees.prune(workspace), "git has forgotten what is gone."),
    }
    work, said = known[verb]
    return answer(request, work, said, reverse("worktrees", args=[pk]))
