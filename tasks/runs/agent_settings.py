"""What a branch brings for agent CLIs: shown word for word, and allowed once for its content."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import Run, Task
from tasks.runs import dispatch
from workspaces import hosts
from workspaces.access import check_decision
from workspaces.hostkit import wire
from workspaces.models import Workspace

MOST_ALLOWED = 200
"How many contents are remembered for a workspace; the oldest are asked about again."


def read_settings(task: Task) -> wire.AgentSettings:
    """Return the hooks, MCP servers and permissions in the task's worktree. Raises HostError."""
    if not task.worktree_path:
        return {"files": [], "digest": ""}
    host = hosts.get(task.workspace.host.address)
    return host.call("agent_settings", {"path": task.worktree_path})


def waiting_for(run: Run | None, workspace: Workspace) -> bool:
    """Whether a queued run waits until somebody has allowed what its branch brings."""
    if run is None or run.state != Run.State.QUEUED:
        return False
    return not workspace.allows_agent_settings(run.agent_settings)


def allow(task: Task, digest: str, *, user: AbstractBaseUser) -> None:
    """Allow this content in all branches of the workspace, and start what waits for it. Raises Refused."""
    check_decision(user, task.workspace, "allow what a branch brings for agents")
    if not digest or read_settings(task)["digest"] != digest:
        raise Refused("The files have changed in the meantime.", "Look at them again.")
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=task.workspace_id)
        known = [each for each in workspace.allowed_agent_settings if each != digest]
        workspace.allowed_agent_settings = [*known[1 - MOST_ALLOWED :], digest]
        workspace.save(update_fields=["allowed_agent_settings"])
        dispatch.start_after_commit(workspace.pk)
        doorbell.ring(f"task:{task.pk}", "queue")
