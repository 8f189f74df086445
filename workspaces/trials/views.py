"""The CLIs of a workspace: their versions, whether they work, and what a user can do about a held one."""

from __future__ import annotations

from functools import partial

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import answer
from workspaces import clis
from workspaces.access import workspace_for
from workspaces.models import InstalledCli, Workspace
from workspaces.trials import queries, services


@require_GET
def cli_list(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the workspace's page that shows its CLIs. It refreshes itself while one is tried."""
    return render(request, "workspaces/_clis.html", context_of(workspace_for(request.user, pk)))


def context_of(workspace: Workspace) -> dict[str, object]:
    rows = list(queries.rows_of(workspace).values())
    states = [(row, queries.words_about(row)) for row in rows]
    return {"workspace": workspace, "cli_states": states, "is_trying": any(row.wanted for row in rows)}


@require_POST
def cli_try(request: HttpRequest, pk: int, backend: str) -> HttpResponse:
    """Try a turn now, which costs one tiny request."""
    workspace, row = _row(request, pk, backend)
    text = f"Trying one turn of {row.label} on {row.host.label}."
    return _answer(request, workspace, partial(services.try_soon, row), text)


@require_POST
def cli_allow(request: HttpRequest, pk: int, backend: str) -> HttpResponse:
    """Let runs start with the held program that the user has seen."""
    workspace, row = _row(request, pk, backend)
    verb = partial(services.start_anyway, row, request.POST.get("program", ""))
    return _answer(request, workspace, verb, f"Runs start with {row.name}, until it changes.")


@require_POST
def cli_hold(request: HttpRequest, pk: int, backend: str) -> HttpResponse:
    """Withdraw this permission."""
    workspace, row = _row(request, pk, backend)
    return _answer(request, workspace, partial(services.hold_again, row), f"{row.name} is on hold again.")


def _row(request: HttpRequest, pk: int, backend: str) -> tuple[Workspace, InstalledCli]:
    workspace = workspace_for(request.user, pk)
    if backend not in clis.names():
        raise Http404
    return workspace, services.row_for(workspace, backend)


def _answer(request: HttpRequest, workspace: Workspace, verb: partial[None], text: str) -> HttpResponse:
    here = reverse("workspace", args=[workspace.pk])
    return answer(request, verb, text, to=f"{here}#clis")
