"""Which ports are a task's, and how its processes are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.models import Run, Task
from workspaces import hosts
from workspaces.hostkit.wire import OpenPort, PortOwner
from workspaces.hosts import Address
from workspaces.hosts.hub import on_hub
from workspaces.hosts.ports import PortWatch, cleaned, watch

MOST_RUNS = 10
"""Runs whose processes count as the task's: of earlier ones nothing is left."""
LOOK_SECONDS = 15.0


@dataclass(frozen=True)
class PortPlace:
    """Where the ports of a task are: its host, and how its processes are known there."""

    task: int
    address: Address = field(hash=False)  # looked up for each request of a preview
    folders: tuple[str, ...] = field(hash=False)
    worktree: str

    @property
    def owner(self) -> PortOwner:
        return {"folders": list(self.folders), "worktree": self.worktree}

    @property
    def name(self) -> str:
        """The name for the host: the card of a task knows fewer of its runs than its page."""
        return f"{self.task}:{hash((self.folders, self.worktree)):x}"

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


def is_over(task: Task) -> bool:
    """Return whether the previews of a task have ended: they do when it is done."""
    return task.status == Task.Status.DONE


def place_of(task: Task) -> PortPlace | None:
    """Return where to look for a task's ports; None if it can have none."""
    if is_over(task):
        return None
    folders = task.runs.exclude(run_dir="").order_by("-number").values_list("run_dir", flat=True)
    known = tuple(folders[:MOST_RUNS])
    if not known and not task.worktree_path:
        return None
    return PortPlace(task.pk, task.workspace.host.address, known, task.worktree_path)


def place_of_card(task: Task, run: Run | None) -> PortPlace | None:
    """The same for a card, without a query: only while a run is live."""
    if run is None or not run.is_active or not run.run_dir or is_over(task):
        return None
    return PortPlace(task.pk, task.workspace.address, (run.run_dir,), task.worktree_path)


def ports_of(task: Task) -> list[OpenPort]:
    """Ask the host for the ports of a task. Raises HostError."""
    place = place_of(task)
    return place.ask() if place else []
