"""The worktrees page of a workspace."""

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
from workspaces.access import current_user, workspace_for, workspace_for_change
from workspaces.models import Workspace


@require_GET
def worktrees_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; it loads the list separately, because that asks the host."""
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
    return _about(workspace, request, lambda: f"Removed. {services.remove(workspace, path).summary}")


@require_POST
def worktree_adopt(request: HttpRequest, pk: int) -> HttpResponse:
    """Create a task for a worktree that the app did not create."""
    workspace, path, user = (
        workspace_for(request.user, pk),
        request.POST.get("path", ""),
        current_user(request),
    )
    text = "Added as a task in Review."
    return _about(workspace, request, lambda: services.adopt(workspace, path, user=user), text)


@require_POST
def worktrees_prune(request: HttpRequest, pk: int) -> HttpResponse:
    """Prune worktrees whose folders are missing."""
    workspace = workspace_for_change(request.user, pk)
    text = "Removed stale worktree entries."

    def prune() -> None:
        services.prune(workspace)

    return _about(workspace, request, prune, text)


def _about(
    workspace: Workspace, request: HttpRequest, verb: Callable[[], object], text: str = ""
) -> HttpResponse:
    return answer(request, verb, text, to=reverse("worktrees", args=[workspace.pk]))
