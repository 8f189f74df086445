"""The verdict buttons of the review bar."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from tasks.access import task_for
from tasks.answers import answer_on_task
from tasks.attachments.posted import posted_ids
from tasks.models import Run
from tasks.review import comments, verdicts
from workspaces.access import current_user


@require_POST
def task_accept(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), current_user(request)
    seen = request.POST.get("seen", "")
    text = "Accepted. Ready to merge."
    return answer_on_task(request, pk, lambda: verdicts.accept(task, user=user, seen=seen), text)


@require_POST
def task_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    text = "Acceptance withdrawn."
    return answer_on_task(request, pk, lambda: verdicts.undo_accept(task), text)


@require_POST
def task_send_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the message and the user's unsent comments to the agent."""
    task, user = task_for(request.user, pk), current_user(request)
    message, files = request.POST.get("message", ""), posted_ids(request.POST)

    def send() -> Run:
        return comments.request_changes(task, message, user=user, attachments=files)

    return answer_on_task(request, pk, send, "Changes requested.")


@require_POST
def task_drop(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), current_user(request)
    return answer_on_task(
        request, pk, lambda: verdicts.drop(task, user=user), "Discarded. A rescue ref keeps the work."
    )


@require_POST
def task_restore(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    return answer_on_task(request, pk, lambda: verdicts.restore(task), "Branch and worktree restored.")


@require_POST
def task_start_over(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), current_user(request)
    text = "Queued to start over."
    return answer_on_task(request, pk, lambda: verdicts.start_over(task, user=user), text)
