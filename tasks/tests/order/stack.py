"""Two tasks of which the second stands on the branch of the first, in a repository."""

from __future__ import annotations

from pathlib import Path

from aitask.tests.lab.repos import commit_file, git
from tasks.models import Task, Verdict
from tasks.review import verdicts
from tasks.tests.order.scene import after
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from workspaces.models import Workspace
from workspaces.tests.merging.repos import changed


class Stack:
    """Task `first` on main, with one commit; `second` on `first`, with one commit and a worktree."""

    def __init__(self, folder: Path) -> None:
        history = small_repo(folder / "shop")
        self.repo = history.repo
        history.commit("first", changed(1, 2, "from the first"), "First's work", parent="main").write()
        history.commit("second", {"second.txt": "from the second\n"}, "Second's work", parent="first").write()
        self.workspace: Workspace = workspace_of(self.repo, check_command="grep -q good check.txt")
        self.first = self._task("first")
        self.second = after(self._task("second"), self.first, until="finished")
        self.second.base_commit = self.tip("first")
        self.second.save(update_fields=["base_commit"])

    def _task(self, branch: str) -> Task:
        tree = self.repo.parent / f"tree-{branch}"
        git(self.repo, "worktree", "add", "-q", str(tree), branch)
        return task_with(self.workspace, self.repo, branch, title=f"Do {branch}", worktree_path=str(tree))

    def tip(self, name: str) -> str:
        return git(self.repo, "rev-parse", name)

    def work_on(self, task: Task, name: str, content: str, message: str = "More work") -> str:
        """Commit a file in the worktree of a task, and return the commit."""
        tree = Path(task.worktree_path)
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        commit_file(tree, name, content)
        return git(tree, "rev-parse", "HEAD")

    def accept(self, *tasks: Task) -> None:
        for task in tasks:
            verdicts.accept(task, user=None)

    def read(self) -> None:
        for task in (self.first, self.second):
            task.refresh_from_db()


def is_accepted(task: Task) -> bool:
    return Verdict.objects.filter(task=task, kind="accepted").exists()
