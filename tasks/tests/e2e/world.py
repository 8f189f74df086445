"""The whole thing as a person has it: the app, a repository, both real CLIs and a scripted model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from aitask.tests.lab.app import App
from aitask.tests.lab.cli_home import Login, make_cli_home
from aitask.tests.lab.client import ApiClient
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.ledger import COUNTED, Tokens
from aitask.tests.lab.repos import MakeRepo, git, make_repo
from aitask.tests.lab.tools import require_tool

BACKENDS = ("claude_code", "codex")
embedded = pytest.mark.skipif("DATABASE_URL" in os.environ, reason="kills what `manage.py up` starts again")


class World:
    """One app on this machine with one workspace; every agent's session meets the same endpoint."""

    def __init__(self, settings: Mapping[str, str] | None = None, make: MakeRepo = make_repo) -> None:
        for tool in ("tmux", "git", "claude", "codex"):
            require_tool(tool)
        self.app = App(settings)
        self.endpoint = ScriptedEndpoint()
        self.repo = make(self.app.folder / "repo")
        self._homes = 0
        self._names: Counter[str] = Counter()

    def __enter__(self) -> World:
        self.endpoint.__enter__()
        self.app.start()
        self.workspace: int = self.add_workspace("here")["id"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.app.__exit__(kind, error, trace)
        self.endpoint.__exit__(kind, error, trace)

    @property
    def api(self) -> ApiClient:
        return self.app.api

    @cached_property
    def shared_environment(self) -> dict[str, str]:
        """One CLI home for all workspaces that need none of their own: each costs a look for its models."""
        return self.environment()

    def environment(self, *, login: Login = "api_key", **more: str) -> dict[str, str]:
        """A CLI home of its own, and the variables that lead an agent to it."""
        self._homes += 1
        home = make_cli_home(self.app.folder / f"cli-home-{self._homes}", self.endpoint.url, login=login)
        return {**home.environment, **more}

    def add_workspace(self, name: str, repo: Path | None = None, **fields: Any) -> Any:
        """One with room for ten runs; of the same name again (a test is tried anew) it is numbered."""
        self._names[name] += 1
        numbered = name if self._names[name] == 1 else f"{name} {self._names[name]}"
        given = {"environment": self.shared_environment, "max_parallel_runs": 10, **fields}
        return self.api.add_workspace(numbered, str(repo or self.repo), **given)

    def start(self, prompt: str, backend: str = "codex", **fields: Any) -> dict[str, Any]:
        """Write a task and press Run; the run as it was queued. Codex starts in a third of the time."""
        workspace = fields.pop("workspace", self.workspace)
        task = self.api.add_task(workspace, prompt, backend, **fields)
        run: dict[str, Any] = self.api.run_task(task["id"])
        return run

    def finish(self, prompt: str, backend: str = "codex", **fields: Any) -> dict[str, Any]:
        """`start`, and wait for the end."""
        timeout = fields.pop("timeout", 60)
        ended: dict[str, Any] = self.api.wait_for_run(
            self.start(prompt, backend, **fields)["id"], timeout=timeout
        )
        return ended

    def succeed(self, prompt: str, backend: str = "codex", **fields: Any) -> dict[str, Any]:
        """`finish`, and it must have gone well."""
        run = self.finish(prompt, backend, **fields)
        assert run["state"] == "succeeded", run["reason"]
        return run

    def task_of(self, run: Mapping[str, Any]) -> dict[str, Any]:
        task: dict[str, Any] = self.api.get(f"/api/tasks/{run['task']}")
        return task

    def worktree(self, run: Mapping[str, Any]) -> Path:
        return Path(self.task_of(run)["worktree_path"])

    def show(self, run: Mapping[str, Any], path: str) -> str:
        """A file on the branch of the run's task."""
        return git(self.repo, "show", f"{self.task_of(run)['branch']}:{path}")

    def git(self, *words: str) -> str:
        return git(self.repo, *words)

    def events(self, run: Mapping[str, Any], kind: str = "") -> list[dict[str, Any]]:
        return [event for event in self.api.events(run["id"]) if kind in ("", event["kind"])]

    def billed(self, run: Mapping[str, Any]) -> Tokens:
        """What the endpoint says that this run's CLI session cost."""
        return self.endpoint.ledger.total(run["cli_session"])


def tokens_of(run: Mapping[str, Any]) -> Tokens:
    """What the app says that a run cost."""
    return Tokens(**{name: run[name] for name in COUNTED})


def assert_no_gap(events: list[dict[str, Any]]) -> None:
    """Numbered from 1, none missing, none twice, and the last one says that it is over."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "finished"
