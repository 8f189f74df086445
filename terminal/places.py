"""The tmux session that a terminal shows: a task's session, or the shell of a workspace or host."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from tasks.models import Task
from tasks.runs.shell_commands import attach_command
from terminal.control.viewer import ViewTarget
from workspaces import tmux
from workspaces.hosts import Address
from workspaces.models import Host, Installation, Workspace


@dataclass(frozen=True)
class Place:
    """The tmux session of a task, workspace or host, whether it exists or not."""

    workspace: Workspace
    "Not saved for the shell of a host."
    task: Task | None
    session: str
    owner: str
    "Value of the tmux option @aitask, which marks the session as this installation's."
    socket_on_host: str
    "Of its tmux server; empty for the user's own, where an earlier version has made it."
    address: Address
    host_label: str

    @classmethod
    def of_task(cls, task: Task) -> Place:
        last = task.runs.exclude(tmux_session="").order_by("-number").first()
        name = last.tmux_session if last else tmux.session_name(task.pk)
        socket = last.tmux_socket if last else task.workspace.host.tmux_socket
        return cls._of(task.workspace, task, name, task.key, socket)

    @classmethod
    def of_workspace(cls, workspace: Workspace) -> Place:
        mark, host = f"w{workspace.pk}", workspace.host
        return cls._of(workspace, None, tmux.session_name(mark), mark, host.tmux_socket)

    @classmethod
    def of_host(cls, host: Host) -> Place:
        """The shell of a host on which the user may have no workspace yet. It starts in the home folder."""
        kind = Workspace.Kind.LOCAL if host.kind == "local" else Workspace.Kind.SSH
        workspace = Workspace(
            name=host.label, kind=kind, ssh_host=host.alias, ssh_user=host.user, repo_path="~"
        )
        mark = f"h{host.pk}"
        return cls._of(workspace, None, tmux.session_name(mark), mark, host.tmux_socket)

    @classmethod
    def _of(cls, workspace: Workspace, task: Task | None, session: str, mark: str, socket: str) -> Place:
        host = workspace.host
        owner = tmux.owner_mark(Installation.current_key(), mark)
        return cls(workspace, task, session, owner, socket, host.address, host.label)

    @property
    def kind(self) -> str:
        if self.task:
            return "task"
        return "workspace" if self.workspace.pk else "host"

    @property
    def pk(self) -> int:
        if self.task:
            return self.task.pk
        return self.workspace.pk or self.workspace.host.pk

    @property
    def title(self) -> str:
        if self.task:
            return self.task.title
        return f"Shell {'of' if self.workspace.pk else 'on'} {self.workspace.name}"

    @property
    def target(self) -> ViewTarget:
        return ViewTarget(self.session, self.owner)

    @property
    def key(self) -> str:
        """Name of the folder on the host that has the session's files."""
        return self.owner.replace("/", "-")

    @property
    def attach_command(self) -> str:
        """The shell command that attaches to the session in any terminal."""
        return attach_command(self.workspace, self.session, self.socket_on_host)

    @property
    def url(self) -> str:
        return reverse(f"{self.kind}_terminal", args=[self.pk])

    @property
    def history_url(self) -> str:
        return reverse(f"{self.kind}_terminal_history", args=[self.pk])

    @property
    def close_url(self) -> str:
        return reverse(f"{self.kind}_terminal_close", args=[self.pk])

    @property
    def socket(self) -> str:
        return f"/api/{self.kind}s/{self.pk}/terminal"
