"""The whole thing with its repository and its agents on a host behind a real sshd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from aitask.tests.lab.repos import git
from aitask.tests.lab.sshd import SshLab
from tasks.tests.e2e.world import World


class Cloud(World):
    """A world whose workspace lies behind `ssh cloud`."""

    def __init__(self, lab: SshLab) -> None:
        super().__init__({"SSH_CONFIG": str(lab.config)})
        self.lab = lab
        self.far_repo = lab.make_repo()

    def __enter__(self) -> Self:
        super().__enter__()
        self.cli_home = self.lab.make_cli_home(self.endpoint.url)
        environment = self.cli_home.environment
        far: dict[str, Any] = {"kind": "ssh", "ssh_host": "cloud", "environment": environment}
        self.workspace = self.add_workspace("cloud", self.far_repo, **far)["id"]
        return self

    def show(self, run: Mapping[str, Any], path: str) -> str:
        """A file on the branch of the run's task, on the far host."""
        return git(self.far_repo, "show", f"{self.task_of(run)['branch']}:{path}")
