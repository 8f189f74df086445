"""What a user decides about finished work, by the buttons of the review bar."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from aitask.lib import htmx
from tasks.access import task_for
from tasks.models import Task
from tasks.review import verdicts
from workspaces.access import person


@require_POST
def task_accept(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    said = "Accepted: ready to merge."
    return _about(task, request, lambda: verdicts.accept(task, user=user), said)


@require_POST
def task_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    said = "Not accepted any more."
    return _about(task, request, lambda: verdicts.take_back(task), said)


@require_POST
def task_send_back(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    message = request.POST.get("message", "")
    return _about(
        task, request, lambda: verdicts.send_back(task, message, user=user), "Sent back to the agent."
    )


@require_POST
def task_drop(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    return _about(
        task, request, lambda: verdicts.drop(task, user=user), "Dropped; a rescue ref keeps the work."
    )


@require_POST
def task_restore(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    return _about(
        task, request, lambda: verdicts.restore(task), "Restored: branch and worktree are there again."
    )


@require_POST
def task_start_over(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    said = "Queued, from the start."
    return _about(task, request, lambda: verdicts.start_over(task, user=user), said)


def _about(task: Task, request: HttpRequest, verb: Callable[[], object], said: str) -> HttpResponse:
    return htmx.answer(request, verb, said, to=reverse("task", args=[task.pk]))
