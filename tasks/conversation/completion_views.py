"""Completion in the boxes for prompts and messages: asked at each key, answered from memory."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from tasks.access import task_for
from tasks.conversation import completion
from workspaces.access import workspace_for


@require_GET
def task_completions(request: HttpRequest, pk: int) -> JsonResponse:
    """Items for a task's prompt and for messages to its agent."""
    task = task_for(request.user, pk)
    return _completed(request, completion.box_of_task(task, request.GET.get("backend", "")))


@require_GET
def workspace_completions(request: HttpRequest, pk: int) -> JsonResponse:
    """Items for the prompt of a new task in a workspace."""
    workspace = workspace_for(request.user, pk)
    return _completed(request, completion.box_of_workspace(workspace, request.GET.get("backend", "")))


def _completed(request: HttpRequest, box: completion.Box) -> JsonResponse:
    """Answer `sign` and `q`; without a sign, let the lists be made that will be asked for soon."""
    sign = request.GET.get("sign", "")
    if sign in ("/", "@"):
        return JsonResponse(completion.complete(box, sign, request.GET.get("q", "")))
    completion.prepare(box)
    return JsonResponse({"items": [], "pending": False, "note": ""})
