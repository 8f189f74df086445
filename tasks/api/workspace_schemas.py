"""Schemas of workspaces. The values of `environment` are write-only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tasks.api.schemas import NOT_SENT, Answer, Backend, Body, PermissionMode, Text, one_of
from workspaces import clis
from workspaces.models import InstalledCli, Workspace
from workspaces.models import PermissionMode as modes

Kind = Annotated[str, one_of(Workspace.Kind.values)]
MaxMode = Annotated[str, one_of(["", *(mode for mode in modes.values if mode != modes.PLAN)])]
"The widest permission mode of tasks."
Lines = Annotated[
    Text | list[Text],
    AfterValidator(lambda value: value if isinstance(value, str) else "\n".join(value)),
    Field(description="One pattern per line, or a list of patterns"),
]
Variables = Annotated[
    dict[Text, Text | None],
    Field(description="All variables. Omitted variables are removed; null keeps the current value"),
]


class WorkspaceChange(Body):
    """Only the fields that are sent are changed."""

    name: Text = NOT_SENT
    kind: Kind = NOT_SENT
    ssh_host: Text = NOT_SENT
    ssh_user: Text = NOT_SENT
    repo_path: Text = NOT_SENT
    base_branch: Text = NOT_SENT
    worktree_root: Text = NOT_SENT
    copy_files: Lines = NOT_SENT
    setup_command: Text = NOT_SENT
    check_command: Text = NOT_SENT
    default_backend: Backend = NOT_SENT
    default_model: Text | None = Field(default=None, description="null or empty: the CLI's default")
    default_reasoning_effort: Text | None = None
    permission_mode: PermissionMode = NOT_SENT
    max_permission_mode: MaxMode | None = Field(default=None, description="null or empty: permission_mode")
    environment: Variables = NOT_SENT
    max_parallel_runs: int = NOT_SENT
    commit_leftovers: bool = NOT_SENT
    require_portable_names: bool = NOT_SENT
    ssh_agent: bool = NOT_SENT
    try_changed_clis: bool = NOT_SENT
    git_name: Text = NOT_SENT
    git_email: Text = NOT_SENT


class NewWorkspace(WorkspaceChange):
    """Omitted fields get the same defaults as on the page for a new workspace."""

    name: Text
    repo_path: Text


class WorkspaceOut(Answer):
    id: int
    name: str
    kind: Kind
    owner: str
    ssh_host: str
    ssh_user: str
    repo_path: str
    base_branch: str
    worktree_root: str
    copy_files: str
    setup_command: str
    check_command: str
    default_backend: Backend
    default_model: str
    default_reasoning_effort: str
    permission_mode: PermissionMode
    max_permission_mode: MaxMode
    environment: dict[str, None] = Field(description="Names of the variables; values are never returned")
    max_parallel_runs: int
    commit_leftovers: bool
    require_portable_names: bool = Field(description="Merge trains leave out names that Windows refuses")
    ssh_agent: bool
    try_changed_clis: bool
    git_name: str
    git_email: str
    created_at: datetime


def workspace_out(workspace: Workspace) -> WorkspaceOut:
    """Return a workspace. Reads `workspace.owner`, which should be selected."""
    special: dict[str, Any] = {
        "owner": workspace.owner.get_username(),
        "environment": dict.fromkeys(workspace.environment),
    }
    plain = {name: getattr(workspace, name) for name in WorkspaceOut.model_fields if name not in special}
    return WorkspaceOut(**plain, **special)


class InstalledCliOut(Answer):
    """The program of a CLI that runs of the workspace start, and what is known about its version."""

    backend: Backend
    host: str
    path: str = Field(description="Empty if it is not installed")
    version: str = Field(description="Empty if it is not known")
    program: str = Field(description="Identifies the program; another one after each update")
    state: str = Field(description="unproven, trying, good or held")
    held: bool = Field(description="Whether runs wait for another version, or for a user")
    allowed: bool = Field(description="Whether a user lets runs start with this held program")
    trying: bool = Field(description="Whether a trial turn is due or in progress")
    reason: str
    good_version: str = Field(description="The last version that has finished a turn")
    good_at: datetime | None
    tried_at: datetime | None = Field(description="When the last trial turn ended")
    next_try_at: datetime | None
    supported: bool = Field(description="False: older than the oldest supported version")


PLAIN = ("backend", "path", "version", "state", "reason", "good_version", "good_at", "tried_at")


def installed_cli_out(row: InstalledCli) -> InstalledCliOut:
    cli = clis.find(row.backend)
    return InstalledCliOut(
        **{name: getattr(row, name) for name in PLAIN},
        host=row.host.key,
        program=row.fingerprint,
        held=row.is_held,
        allowed=row.is_allowed,
        trying=row.is_trying,
        next_try_at=row.try_at,
        supported=not (cli and cli.is_too_old(row.version)),
    )


class SeenProgram(Body):
    program: Text = Field(description="As read before: another program is not allowed by it")


class FindingOut(Answer):
    """One result of the health check."""

    name: str
    ok: bool | None = Field(description="null: a remark, or it could not be checked")
    detail: str
    hint: str = Field(description="What to do about it; empty if all is well")
