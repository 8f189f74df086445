"""Command lines for a person's own shell, ready to be copied."""

from __future__ import annotations

import shlex

from tasks.models import Run, Task
from workspaces.models import Workspace


def attach_command(workspace: Workspace, session: str) -> str:
    """Open the agent's terminal from the person's own."""
    return _there(workspace, ["tmux", "attach", "-t", f"={session}"], terminal=True)


def diff_command(task: Task) -> str:
    """Everything that the task's branch changes."""
    base = task.base_commit[:12] or task.workspace.base_branch
    return _there(task.workspace, ["git", "-C", task.worktree_path, "diff", base])


def _there(workspace: Workspace, argv: list[str], *, terminal: bool = False) -> str:
    if workspace.kind == Workspace.Kind.LOCAL:
        return shlex.join(argv)
    where = f"{workspace.ssh_user}@{workspace.ssh_host}" if workspace.ssh_user else workspace.ssh_host
    return shlex.join(["ssh", *(["-t"] if terminal else []), where, shlex.join(argv)])


def commands(task: Task, run: Run | None) -> dict[str, str]:
    """What can be done by hand just now, by name."""
    found = {}
    if task.worktree_path:
        found["diff"] = diff_command(task)
    if run and run.tmux_session:
        found["attach"] = attach_command(task.workspace, run.tmux_session)
    return found
