"""Command lines for the user's own shell, ready to copy."""

from __future__ import annotations

from aitask.lib.shell import command_line
from tasks.models import Run, Task
from workspaces.models import Workspace


def attach_command(workspace: Workspace, session: str, socket: str) -> str:
    """Return the command that attaches to a tmux session, for a shell on the user's machine.

    `socket` is that of our server; if it is empty, the session is on the user's.
    """
    return _on_host(workspace, _attach(session, socket), terminal=True)


def attach_command_on_host(run: Run) -> str:
    """Return the command that attaches to the run's tmux session, for a shell on its host; empty without."""
    return command_line(*_attach(run.tmux_session, run.tmux_socket)) if run.tmux_session else ""


def _attach(session: str, socket: str) -> list[str]:
    return ["tmux", *(["-S", socket] if socket else []), "attach", "-t", f"={session}"]


def diff_command(task: Task) -> str:
    """Return the command that shows all changes of the task's branch."""
    base = task.base_commit[:12] or task.workspace.base_branch
    return _on_host(task.workspace, ["git", "-C", task.worktree_path, "diff", base])


def _on_host(workspace: Workspace, argv: list[str], *, terminal: bool = False) -> str:
    if workspace.kind == Workspace.Kind.LOCAL:
        return command_line(*argv)
    destination = f"{workspace.ssh_user}@{workspace.ssh_host}" if workspace.ssh_user else workspace.ssh_host
    return command_line("ssh", *(["-t"] if terminal else []), destination, command_line(*argv))


def commands(task: Task, run: Run | None) -> dict[str, str]:
    """Return the commands that are possible now, by name."""
    found = {}
    if task.worktree_path:
        found["diff"] = diff_command(task)
    if run and run.tmux_session:
        found["attach"] = attach_command(task.workspace, run.tmux_session, run.tmux_socket)
    return found
