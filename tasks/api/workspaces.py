"""Workspaces: list, create, read, change, check."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router

from tasks.api.schemas import Backend, Id
from tasks.api.workspace_schemas import (
    FindingOut,
    InstalledCliOut,
    NewWorkspace,
    SeenProgram,
    WorkspaceChange,
    WorkspaceOut,
    installed_cli_out,
    workspace_out,
)
from workspaces import doctor, services
from workspaces.access import (
    check_place,
    current_user,
    visible_workspaces,
    workspace_for,
    workspace_for_change,
)
from workspaces.models import Workspace
from workspaces.trials import queries as trial_queries
from workspaces.trials import services as trials

router = Router(tags=["Workspaces"])


@router.get("/workspaces", response=list[WorkspaceOut], summary="All workspaces that you may see")
def list_workspaces(request: HttpRequest) -> list[WorkspaceOut]:
    return [workspace_out(row) for row in visible_workspaces(request.user).select_related("owner")]


@router.post("/workspaces", response={201: WorkspaceOut}, summary="Create a workspace that you own")
def create_workspace(request: HttpRequest, body: NewWorkspace) -> WorkspaceOut:
    """Needs the permission to add workspaces."""
    return workspace_out(save(request, Workspace(owner=current_user(request)), body))


@router.get("/workspaces/{workspace_id}", response=WorkspaceOut, summary="One workspace")
def get_workspace(request: HttpRequest, workspace_id: Id) -> WorkspaceOut:
    rows = visible_workspaces(request.user).select_related("owner")
    return workspace_out(get_object_or_404(rows, pk=workspace_id))


@router.patch("/workspaces/{workspace_id}", response=WorkspaceOut, summary="Change a workspace")
def change_workspace(request: HttpRequest, workspace_id: Id, body: WorkspaceChange) -> WorkspaceOut:
    """Only possible for its owner. Another host needs the permission to add workspaces."""
    return workspace_out(save(request, workspace_for_change(request.user, workspace_id), body))


@router.post("/workspaces/{workspace_id}/check", response=list[FindingOut], summary="Run the health check")
def check_workspace(request: HttpRequest, workspace_id: Id) -> list[doctor.Finding]:
    """Checks the host, git, tmux, the CLIs and the repository. Takes a few seconds."""
    return doctor.check(workspace_for(request.user, workspace_id))


@router.get("/workspaces/{workspace_id}/clis", response=list[InstalledCliOut], summary="Versions of its CLIs")
def list_clis(request: HttpRequest, workspace_id: Id) -> list[InstalledCliOut]:
    """Those that a run or a health check has looked at."""
    rows = trial_queries.rows_of(workspace_for(request.user, workspace_id))
    return [installed_cli_out(row) for row in rows.values()]


@router.post(
    "/workspaces/{workspace_id}/clis/{backend}/try", response=InstalledCliOut, summary="Try a turn of a CLI"
)
def try_cli(request: HttpRequest, workspace_id: Id, backend: Backend) -> InstalledCliOut:
    """Costs one tiny request on the login's account. Returns at once; `trying` is true until it has ended."""
    row = trials.row_for(workspace_for(request.user, workspace_id), backend)
    trials.try_soon(row)
    return installed_cli_out(row)


@router.post(
    "/workspaces/{workspace_id}/clis/{backend}/start-anyway",
    response=InstalledCliOut,
    summary="Let runs start with a held program",
)
def start_with_cli(
    request: HttpRequest, workspace_id: Id, backend: Backend, body: SeenProgram
) -> InstalledCliOut:
    """Until it changes. For all workspaces on this host with the same variables."""
    row = trials.row_for(workspace_for(request.user, workspace_id), backend)
    trials.start_anyway(row, body.program)
    return installed_cli_out(row)


def save(request: HttpRequest, workspace: Workspace, body: WorkspaceChange) -> Workspace:
    """Validate and save what was sent."""
    for name, value in body.given().items():
        setattr(workspace, name, variables(workspace, value) if name == "environment" else value)
    check_place(request.user, workspace)
    workspace.full_clean(exclude=["owner"])
    return services.save_workspace(workspace)


def variables(workspace: Workspace, sent: dict[str, str | None]) -> dict[str, str]:
    """Return the environment as sent, with null replaced by the current value."""
    unknown = [name for name, value in sent.items() if value is None and name not in workspace.environment]
    if unknown:
        raise ValidationError({"environment": f"{', '.join(unknown)} has no current value to keep."})
    return {name: workspace.environment[name] if value is None else value for name, value in sent.items()}
