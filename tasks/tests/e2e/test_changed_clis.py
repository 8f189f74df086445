"""A CLI that changes on its host is tried with one tiny turn before the queue goes on."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.tools import OLDEST_CLIS, PROJECT, search_path, version_of
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World
from workspaces.hostkit.serve.trial import PROMPT

pytestmark = pytest.mark.cli

NEWEST_CLIS = PROJECT / ".tools/node_modules/.bin"
PROGRAMS = {"claude_code": "claude", "codex": "codex"}
VERSIONS = {"claude_code": "CLAUDE", "codex": "CODEX"}
HANGS = '#!/bin/sh\n[ "$1" = --version ] && echo 9.9.9 && exit\nexec sleep 600\n'
TOO_OLD = (
    '#!/bin/sh\n[ "$1" = --version ] && echo 1.0.0 && exit\n'
    "echo 'It looks like your version of Claude Code (1.0.0) needs an update.' >&2; exit 1\n"
)


class Bin:
    """A folder of PATH whose CLIs the test replaces."""

    def __init__(self, folder: Path, backend: str) -> None:
        folder.mkdir(parents=True)
        self.path = folder / PROGRAMS[backend]
        self.backend = backend
        self.use(OLDEST_CLIS)

    def use(self, folder: Path) -> None:
        """Switch the link, in one step, as an update does."""
        draft = self.path.with_name("draft")
        draft.symlink_to((folder / self.path.name).resolve())
        draft.replace(self.path)

    def write(self, content: str | bytes) -> None:
        draft = self.path.with_name("draft")
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.chmod(draft.stat().st_mode | stat.S_IXUSR)
        draft.replace(self.path)

    def cut(self) -> None:
        """A download that broke off."""
        with (NEWEST_CLIS / self.path.name).resolve().open("rb") as whole:
            self.write(whole.read(1 << 20 if self.backend == "claude_code" else 100))

    @property
    def old(self) -> str:
        return version_of(f"OLDEST_{VERSIONS[self.backend]}")

    @property
    def new(self) -> str:
        return version_of(VERSIONS[self.backend])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world whose trial turns have little time."""
    with World({"CLI_TRIAL_SECONDS": "6"}) as world:
        yield world


class Place:
    """A workspace with a CLI of its own that the test replaces."""

    def __init__(self, world: World, backend: str, **fields: Any) -> None:
        self.world, self.backend = world, backend
        self._count = getattr(world, "places", 0) + 1
        world.places = self._count  # type: ignore[attr-defined]
        self.bin = Bin(world.app.folder / f"bin-{self._count}", backend)
        self.environment = world.environment(**fields.pop("variables", {}))
        self.environment["PATH"] = f"{self.bin.path.parent}:{search_path()}"
        self.workspace = world.add_workspace(
            f"changes {self._count}", environment=self.environment, **fields
        )["id"]

    def start(self, prompt: str = "@text fine") -> dict[str, Any]:
        return self.world.start(prompt, self.backend, workspace=self.workspace)

    def succeed(self, prompt: str = "@text fine") -> dict[str, Any]:
        return self.world.succeed(prompt, self.backend, workspace=self.workspace)

    def wait_for_reason(self, run: dict[str, Any], *words: str) -> str:
        """Wait until the queued run gives this reason to wait."""

        def reason() -> str:
            now = self.world.api.run(run["id"])
            assert now["state"] in ("queued", "starting"), now["reason"]
            return str(now["reason"]) if all(word in now["reason"] for word in words) else ""

        found: str = wait_for(reason, 40, f"a reason with {words}")
        return found

    def trials(self) -> int:
        """How many trial turns the endpoint has answered in this workspace's world."""
        return sum(PROMPT in entry.prompt for entry in self.world.endpoint.ledger.entries())


def test_a_new_version_is_tried_once_and_then_runs(world: World, backend: str) -> None:
    place = Place(world, backend)
    before = place.trials()
    first = place.succeed()
    assert (first["cli_version"], place.trials()) == (place.bin.old, before)
    place.bin.use(NEWEST_CLIS)
    runs = [place.start() for _ in range(3)]
    ended = [world.api.wait_for_run(run["id"]) for run in runs]
    assert [(run["state"], run["cli_version"]) for run in ended] == [("succeeded", place.bin.new)] * 3
    assert place.trials() == before + 1
