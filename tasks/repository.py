"""Where the trains of a workspace work on its host: repository, bench, main, and the windows of checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from posixpath import join

from tasks.models import MergeTrain
from workspaces import git, hosts
from workspaces.git.repos import RepositoryPaths, locate
from workspaces.git.writing import Writer, writer
from workspaces.merging import Bench, Check, Mainline, bench_path, open_bench
from workspaces.models import Installation, Workspace

__all__ = ["Check", "MergeSite", "site_of"]


@dataclass
class MergeSite:
    """A workspace's repository, ready to be written to."""

    workspace: Workspace
    host: hosts.HostConnection
    installation: str
    place: RepositoryPaths
    branch: str
    train: int = 0
    _bench: Bench | None = field(default=None, init=False)

    @cached_property
    def write(self) -> Writer:
        name, email = self.workspace.git_name, self.workspace.git_email
        what = f"aitask train {self.train}" if self.train else "aitask"
        return writer(self.host, self.place.path, name=name, email=email, reflog=what)

    @cached_property
    def mainline(self) -> Mainline:
        return Mainline(self.write, self.place, self.branch)

    @property
    def bench_path(self) -> str:
        return bench_path(self.host, self.place, self.workspace.worktree_root, self.installation)

    def bench(self, commit: str) -> Bench:
        """The worktree kept for merging; made at `commit` when there is none."""
        if self._bench is None:
            self._bench = open_bench(self.write, self.place, self.bench_path, commit)
        return self._bench

    @property
    def refs(self) -> str:
        """Where the train's rescue refs lie."""
        return f"refs/aitask/trains/{self.installation}-{self.train}"

    def check(self, name: str) -> Check:
        """The check of a step, by a name that is unique in the train."""
        key = f"{self.installation}-{self.train}"
        return Check(
            host=self.host,
            folder=join(str(self.host.hello()["state_dir"]), "merges", key, name),
            session=f"aitask-merge-{self.train}",
            owner=f"{self.installation}/merge-{self.train}",
            window=f"check-{name}",
        )

    @property
    def key(self) -> str:
        """What tells this repository from all others, whichever workspace shows it."""
        return f"{self.host.key}:{self.place.common_dir}"


def site_of(workspace: Workspace, train: MergeTrain | None = None) -> MergeSite:
    """Connect and find the repository. Raises HostError and GitError."""
    host = hosts.get(workspace.host.address)
    return MergeSite(
        workspace=workspace,
        host=host,
        installation=Installation.current_key(),
        place=locate(host, git.expand(host, workspace.repo_path)),
        branch=train.branch if train else workspace.base_branch,
        train=train.pk if train else 0,
    )
