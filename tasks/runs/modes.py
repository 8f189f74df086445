"""The permission mode of the next run of a task."""

from __future__ import annotations

from tasks.models import Run, Task
from workspaces import permission_modes
from workspaces.hostkit.base.modes import PLAN
from workspaces.models import PermissionMode


def mode_of(task: Task) -> str:
    """Return the task's mode, or the workspace's; never more than the workspace allows now."""
    workspace = task.workspace
    return permission_modes.bounded(workspace, task.permission_mode or workspace.permission_mode)


def mode_of_next(task: Task, continued: Run | None) -> str:
    """Return the mode of a new run. `continued` is the run whose conversation it continues, if it does.

    After an approved plan, that is the mode into which it was approved. A new conversation plans again, and
    so do a fork and one that continues after the user has chosen to plan first.
    """
    mode = mode_of(task)
    if mode != PLAN or continued is None or not has_planned(continued):
        return mode
    return permission_modes.bounded(task.workspace, continued.permission_mode)


def has_planned(run: Run) -> bool:
    """Return whether its task was to plan first, and the run (or the one that it continues) is past that."""
    return run.task_mode == PLAN != run.permission_mode


def continued_run(task: Task) -> Run | None:
    """Return the run whose conversation a follow-up continues; None if there is none."""
    return task.runs.filter(backend=task.backend).exclude(cli_session="").order_by("-number").first()


def run_of_session(task: Task, session: str) -> Run | None:
    """Return the newest run with this CLI session; None if there is none, or the session is empty."""
    return task.runs.filter(cli_session=session).order_by("-number").first() if session else None


def kept_after_plan(task: Task) -> str:
    """Return the words of the mode that a follow-up keeps after an approved plan; empty if it does not."""
    continued = continued_run(task)
    kept = continued is not None and mode_of_next(task, continued) != mode_of(task)
    return str(PermissionMode(mode_of_next(task, continued)).label) if kept else ""
