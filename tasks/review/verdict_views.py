"""What a user decides about finished work, by the buttons of the review bar."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from tasks.access import task_for
from tasks.answers import answer_on_task
from tasks.review import verdicts
from workspaces.access import person


@require_POST
def task_accept(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    said = "Accepted: ready to merge."
    return answer_on_task(request, pk, lambda: verdicts.accept(task, user=user), said)


@require_POST
def task_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    said = "Not accepted any more."
    return answer_on_task(request, pk, lambda: verdicts.undo_accept(task), said)


@require_POST
def task_send_back(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    message = request.POST.get("message", "")
    return answer_on_task(
        request, pk, lambda: verdicts.request_changes(task, message, user=user), "Sent back to the agent."
    )


@require_POST
def task_drop(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    return answer_on_task(
        request, pk, lambda: verdicts.drop(task, user=user), "Dropped; a rescue ref keeps the work."
    )


@require_POST
def task_restore(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    return answer_on_task(
        request, pk, lambda: verdicts.restore(task), "Restored: branch and worktree are there again."
    )


@require_POST
def task_start_over(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), person(request)
    said = "Queued, from the start."
    return answer_on_task(request, pk, lambda: verdicts.start_over(task, user=user), said)
