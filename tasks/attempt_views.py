"""The page that compares attempts, and keeping one of them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.answers import answer
from tasks import attempts
from tasks.access import task_for
from tasks.consumers import version_of
from workspaces.access import current_user


@require_GET
def attempts_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Compare all attempts at the prompt of a task; a part of the page for its own updates."""
    task = task_for(request.user, pk)
    found = attempts.attempts_of(task)
    context = {
        "nav": "board",
        "task": task,
        "attempts": found,
        "version": version_of(task),
        "is_live": any(each.is_active for each in found),
    }
    template = "tasks/_attempts.html" if htmx.is_partial(request) else "tasks/attempts.html"
    return render(request, template, context)


@require_POST
def attempt_keep(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), current_user(request)
    here = reverse("task_attempts", args=[pk])
    return answer(request, lambda: str(attempts.keep(task, user=user)), to=here, go=here)
