"""Permission modes of a workspace: which ones its tasks may have, and what follows a plan."""

from __future__ import annotations

from dataclasses import dataclass

from workspaces import clis
from workspaces.hostkit.base.modes import PLAN, STRICTEST_AT_WORK, is_wider, narrower
from workspaces.models import PermissionMode, Workspace

RAISE_IT = "Its owner can raise that in the workspace's settings."


@dataclass(frozen=True)
class ModeOption:
    """A mode as a form offers it. An empty value means the workspace's own."""

    value: str
    label: str
    explanation: str
    is_wider: bool = False
    "Whether it allows more than the workspace's own mode, which not every member may decide."

    @property
    def words(self) -> str:
        return f"{self.label}: {self.explanation}"


def option_of(workspace: Workspace, mode: str) -> ModeOption:
    known = PermissionMode(mode)
    wider = is_wider(mode, workspace.permission_mode)
    return ModeOption(mode, str(known.label), known.explanation, wider)


def options(workspace: Workspace, *, current: str = "", at_work: bool = False) -> list[ModeOption]:
    """Return the modes that runs in the workspace may have, from the strictest to the widest.

    The current one is among them in any case. `at_work` leaves out those in which nothing can be changed.
    """
    modes = PermissionMode.values
    allowed = [mode for mode in modes if mode == current or not is_wider(mode, workspace.ceiling)]
    return [option_of(workspace, mode) for mode in allowed if not (at_work and mode == PLAN)]


def options_of_task(workspace: Workspace, current: str = "") -> tuple[ModeOption, ...]:
    """Return what a task's form offers: the workspace's own mode first."""
    own = PermissionMode(workspace.permission_mode)
    inherited = ModeOption("", "As the workspace", str(own.label).lower())
    return (inherited, *options(workspace, current=current))


def problem(workspace: Workspace, mode: str) -> str:
    """Return why no run of the workspace can have this mode, or an empty string."""
    if not mode or not is_wider(mode, workspace.ceiling):
        return ""
    return f"This workspace allows at most “{PermissionMode(workspace.ceiling).label}”."


def problem_of_cli(backend: str, mode: str) -> str:
    """Return why this CLI can't have the mode, or an empty string."""
    cli = clis.find(backend)
    if mode != PLAN or cli is None or cli.has_plan_mode:
        return ""
    return f"{cli.label} can't plan first: nothing would keep it from writing."


def bounded(workspace: Workspace, mode: str) -> str:
    """Return the mode, or the widest that the workspace allows if that is less."""
    return narrower(mode, workspace.ceiling)


def after_plan(workspace: Workspace, mode: str = PLAN) -> str:
    """Return the mode into which a plan is approved unless another one is picked.

    It is the mode that the run has had before (`mode`), or else the workspace's.
    """
    found = next((each for each in (mode, workspace.permission_mode) if each != PLAN), STRICTEST_AT_WORK)
    return bounded(workspace, found)
