"""The worktrees of a workspace in the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import answer, attempt
from aitask.lib.errors import Refused
from tasks.worktrees import services
from workspaces.access import person, workspace_for, workspace_for_change
from workspaces.models import Workspace


@require_GET
def worktrees_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The frame; the trees come when the host has been asked."""
    workspace = workspace_for(request.user, pk)
    return render(request, "workspaces/worktrees.html", {"nav": "workspaces", "workspace": workspace})


@require_GET
def worktrees_list(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = workspace_for(request.user, pk)
    context: dict[str, Any] = {"workspace": workspace}
    found = attempt(lambda: services.survey(workspace))
    if isinstance(found, Refused):
        context |= {"error": found}
    else:
        sizes = [state.size_kib for state in found if state.size_kib]
        context |= {"trees": found, "total": sum(sizes) * 1024, "gone": any(tree.gone for tree in found)}
    return render(request, "workspaces/_worktrees.html", context)


@require_POST
def worktree_remove(request: HttpRequest, pk: int) -> HttpResponse:
    workspace, path = workspace_for_change(request.user, pk), request.POST.get("path", "")
    said = "Removed; a rescue ref keeps the work."
    return _about(workspace, request, lambda: services.remove(workspace, path), said)


@require_POST
def worktree_adopt(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a task of a worktree that somebody made by hand."""
    workspace, path, user = workspace_for(request.user, pk), request.POST.get("path", ""), person(request)
    said = "It is a task in review now."
    return _about(workspace, request, lambda: services.adopt(workspace, path, user=user), said)


@require_POST
def worktrees_prune(request: HttpRequest, pk: int) -> HttpResponse:
    """Have git forget worktrees whose folders are gone."""
    workspace = workspace_for_change(request.user, pk)
    said = "git has forgotten what is gone."

    def prune() -> None:
        services.prune(workspace)

    return _about(workspace, request, prune, said)


def _about(workspace: Workspace, request: HttpRequest, verb: Callable[[], object], text: str) -> HttpResponse:
    return answer(request, verb, text, to=reverse("worktrees", args=[workspace.pk]))
