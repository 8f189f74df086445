"""The bar of Spotlight, and its verbs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import answer
from tasks.access import task_for
from tasks.answers import answer_on_task
from tasks.spotlight import queries, services
from workspaces.access import current_user, workspace_for


@require_GET
def spotlight_bar(request: HttpRequest, pk: int) -> HttpResponse:
    """What the checkout of the workspace shows, for pages that have no socket."""
    spotlights = queries.spotlights_of([workspace_for(request.user, pk)])
    return render(request, "tasks/spotlight/_bars.html", {"spotlights": spotlights})


@require_POST
def spotlight_show(request: HttpRequest, pk: int) -> HttpResponse:
    task, user = task_for(request.user, pk), current_user(request)
    return answer_on_task(request, pk, lambda: _done(services.show(task, user=user)))


@require_POST
def spotlight_next(request: HttpRequest, pk: int) -> HttpResponse:
    spotlight, user = services.spotlight_of(workspace_for(request.user, pk)), current_user(request)
    return answer(request, lambda: _done(services.show_next(spotlight, user=user)), to=reverse("board"))


@require_POST
def spotlight_refresh(request: HttpRequest, pk: int) -> HttpResponse:
    spotlight, user = services.spotlight_of(workspace_for(request.user, pk)), current_user(request)
    return answer(request, lambda: _done(services.refresh(spotlight, user=user)), to=reverse("board"))


@require_POST
def spotlight_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Put the checkout back, or close what the bar says about an earlier request."""
    spotlight, user = services.spotlight_of(workspace_for(request.user, pk)), current_user(request)
    return answer(request, lambda: _done(services.go_back(spotlight, user=user)), to=reverse("board"))


def _done(_result: object) -> None:
    """The bar tells what comes of it."""
