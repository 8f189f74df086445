"""An installation with a CLI that nobody knows, which costs next to nothing to start."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from aitask.tests.lab.app import App
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tools import PROJECT, search_path, tools_path

HERE = Path(__file__).parent / "parrot"
ADDED = ["workspaces/clis/parrot.py", "workspaces/hostkit/agents/parrot.py"]
COPIED = ("aitask", "workspaces", "tasks", "terminal", "usage", "templates")


def copy_of_ours(folder: Path) -> Path:
    """The source that we ship, elsewhere."""
    for name in COPIED:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("tests"))
    shutil.copy2(PROJECT / "manage.py", folder)
    return folder


class Aviary:
    """An installation with the parrot, on a host that has no other CLI."""

    def __init__(self, folder: Path) -> None:
        project = copy_of_ours(folder / "source")
        for name in ADDED:
            shutil.copy2(HERE / "added" / name, project / name)
        program = folder / "bin" / "parrot"
        program.parent.mkdir()
        shutil.copy2(HERE / "program.py", program)
        program.chmod(0o755)
        path = [str(program.parent), *(each for each in search_path().split(":") if each not in tools_path())]
        self.repo = make_repo(folder / "repo")
        self.app = App({"PATH": ":".join(path)}, project=project)

    def open(self) -> None:
        self.app.up()
        fields = {"default_backend": "parrot", "permission_mode": "full"}
        self.workspace = self.app.api.add_workspace("Aviary", str(self.repo), **fields)["id"]

    def run(self, prompt: str) -> Any:
        task = self.app.api.add_task(self.workspace, prompt, "parrot", model="quiet")
        return self.app.api.wait_for_run(self.app.api.run_task(task["id"])["id"])
