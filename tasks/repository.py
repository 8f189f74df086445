"""Where tasks and merge trains work: a workspace's host, its repository, and the app's folders there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from posixpath import join

from tasks.models import MergeTrain, Run, Task
from workspaces import hosts, tmux
from workspaces.git.repos import RepositoryPaths, locate
from workspaces.git.writing import Writer, writer
from workspaces.hostkit import lean
from workspaces.hostkit.wire import Hello
from workspaces.links import note_tmux_socket
from workspaces.merging import Check, Mainline, MergeWorktree, merge_worktree_path, open_merge_worktree
from workspaces.models import Installation, Workspace


@dataclass
class Site:
    """The connected host of a workspace, and its repository, which is located on first use."""

    workspace: Workspace
    host: hosts.HostConnection
    hello: Hello
    "What hostkit reports about the host, such as folders and versions."
    installation: str
    branch: str
    "The base branch."
    train: MergeTrain | None = None
    _merge_worktree: MergeWorktree | None = field(default=None, init=False)

    @cached_property
    def place(self) -> RepositoryPaths:
        """The folders of the repository. Raises GitError if git can't read it."""
        return locate(self.host, self.workspace.repo_path)

    @property
    def key(self) -> str:
        """Identifies the repository, also if several workspaces use it."""
        return f"{self.host.key}:{self.place.common_dir}"

    @property
    def hostkit(self) -> str:
        """Path of the packed hostkit on the host."""
        return join(self.hello["state_dir"], "hostkit", self.hello["hostkit"])

    def command(self, subcommand: str, *args: str) -> list[str]:
        """Return the argument list of a hostkit subcommand."""
        return [*lean.command(self.hello["executable"], self.hostkit), subcommand, *args]

    def run_dir(self, run: Run) -> str:
        """Return the folder of a run on the host. An adopted run keeps the one that it was started in."""
        return run.run_dir or self.run_folder(run.pk, run.mark)

    def run_folder(self, number: int, mark: str) -> str:
        """Return the folder in which a run is started; one of before the marks has none."""
        name = f"{self.installation}-{number}-{mark}" if mark else f"{self.installation}-{number}"
        return join(self.hello["state_dir"], "runs", name)

    def owner(self, name: str) -> str:
        """Return the mark of a tmux session, by the key of a task or the name of another session."""
        return tmux.owner_mark(self.installation, name)

    def intent(self, task: Task) -> str:
        """Return the name of the record of the task's worktree in the repository's git folder."""
        return f"{self.installation}-{task.key}"

    def owner_of_worktree(self, task: Task) -> dict[str, str | int]:
        """Return what marks the task's worktree as its own."""
        return {"installation": self.installation, "task": task.mark or task.pk}

    @cached_property
    def write(self) -> Writer:
        name, email = self.workspace.git_name, self.workspace.git_email
        reflog = f"aitask train {self.train.pk}" if self.train else "aitask"
        return writer(self.host, self.place.path, name=name, email=email, reflog=reflog)

    @cached_property
    def mainline(self) -> Mainline:
        return Mainline(self.write, self.place, self.branch)

    @property
    def merge_worktree_path(self) -> str:
        return merge_worktree_path(self.host, self.place, self.workspace.worktree_root, self.installation)

    def merge_worktree(self, commit: str) -> MergeWorktree:
        """Return the merge worktree; create it at `commit` if there is none."""
        if self._merge_worktree is None:
            self._merge_worktree = open_merge_worktree(
                self.write, self.place, self.merge_worktree_path, commit
            )
        return self._merge_worktree

    @property
    def refs(self) -> str:
        """The namespace of the train's rescue refs."""
        return f"refs/aitask/trains/{self.installation}-{self._train_key}"

    @property
    def _train_key(self) -> str:
        return self.train.key if self.train else "0"

    def check(self, name: str) -> Check:
        """Return the check of a step, by a name that is unique in the train."""
        return Check(
            host=self.host,
            folder=join(self.hello["state_dir"], "merges", f"{self.installation}-{self._train_key}", name),
            session=tmux.session_name(f"merge-{self.train.pk if self.train else 0}"),
            owner=self.owner(f"merge-{self._train_key}"),
            window=f"check-{name}",
        )


def site_of(workspace: Workspace, train: MergeTrain | None = None) -> Site:
    """Connect to the workspace's host. Raises HostError."""
    row = workspace.host
    host = hosts.get(row.address)
    hello = host.hello()
    note_tmux_socket(row, hello["tmux_socket"])
    return Site(
        workspace=workspace,
        host=host,
        hello=hello,
        installation=Installation.current_key(),
        branch=train.branch if train else workspace.base_branch,
        train=train,
    )
