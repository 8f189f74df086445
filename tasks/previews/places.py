"""Which ports are a task's, or a checkout's, and how their processes are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.models import Run, Task
from workspaces import hosts
from workspaces.hostkit.wire import OpenPort, PortOwner
from workspaces.hosts import Address
from workspaces.hosts.hub import on_hub
from workspaces.hosts.ports import PortWatch, cleaned, watch
from workspaces.models import Workspace

Shown = Task | Workspace
"""What has previews: a task, or a workspace for what runs in its own checkout."""

MOST_RUNS = 10
"""Runs whose processes count as the task's: of earlier ones nothing is left."""
LOOK_SECONDS = 15.0


@dataclass(frozen=True)
class PortPlace:
    """Where the ports of a task or checkout are: the host, and how its processes are known there."""

    whose: str
    address: Address = field(hash=False)  # looked up for each request of a preview
    folders: tuple[str, ...] = field(hash=False)
    worktree: str

    @property
    def owner(self) -> PortOwner:
        return {"folders": list(self.folders), "worktree": self.worktree}

    @property
    def name(self) -> str:
        """The name for the host: the card of a task knows fewer of its runs than its page."""
        return f"{self.whose}:{hash((self.folders, self.worktree)):x}"

    def watch(self) -> PortWatch:
        return watch(self.address, self.name, self.owner)

    def ask(self) -> list[OpenPort]:
        """Ask the host once. Raises HostError."""
        answer = cleaned(hosts.get(self.address).call("ports", {"tasks": {self.name: self.owner}}))
        return answer["tasks"].get(self.name, [])

    async def look(self) -> list[OpenPort]:
        """Ask the host once, on any loop. Raises HostError."""
        return await on_hub(self._look())

    async def _look(self) -> list[OpenPort]:
        link = await hosts.get(self.address).link()
        answer = cleaned(await link.call("ports", {"tasks": {self.name: self.owner}}, LOOK_SECONDS))
        return answer["tasks"].get(self.name, [])


def whose(shown: Shown) -> str:
    """Return the first part of the host names of its previews, as in `PreviewHost.whose`."""
    return f"{'t' if isinstance(shown, Task) else 'w'}{shown.pk}"


def workspace_of(shown: Shown) -> Workspace:
    return shown.workspace if isinstance(shown, Task) else shown


def is_over(shown: Shown) -> bool:
    """Return whether the previews have ended: those of a task do when it is done."""
    return isinstance(shown, Task) and shown.status == Task.Status.DONE


def place_of(shown: Shown) -> PortPlace | None:
    """Return where to look for the ports; None if there can be none."""
    if isinstance(shown, Workspace):
        return PortPlace(whose(shown), shown.host.address, (), shown.repo_path)
    return _place_of_task(shown)


def _place_of_task(task: Task) -> PortPlace | None:
    if is_over(task):
        return None
    folders = task.runs.exclude(run_dir="").order_by("-number").values_list("run_dir", flat=True)
    known = tuple(folders[:MOST_RUNS])
    if not known and not task.worktree_path:
        return None
    return PortPlace(whose(task), task.workspace.host.address, known, task.worktree_path)


def place_of_card(task: Task, run: Run | None) -> PortPlace | None:
    """The same for a card, without a query: only while a run is live."""
    if run is None or not run.is_active or not run.run_dir or is_over(task):
        return None
    return PortPlace(whose(task), task.workspace.address, (run.run_dir,), task.worktree_path)


def ports_of(shown: Shown) -> list[OpenPort]:
    """Ask the host for the ports of a task or checkout. Raises HostError."""
    place = place_of(shown)
    return place.ask() if place else []
