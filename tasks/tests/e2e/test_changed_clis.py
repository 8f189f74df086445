"""A CLI that changes on its host is tried with one tiny turn before the queue goes on."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.tools import OLDEST_CLIS, PROJECT, search_path, version_of
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World
from workspaces.hostkit.serve.trial import PROMPT

pytestmark = [pytest.mark.cli, pytest.mark.one_database]

NEWEST_CLIS = PROJECT / ".tools/node_modules/.bin"
PROGRAMS = {"claude_code": "claude", "codex": "codex"}
PACKAGES = {
    "claude_code": ("@anthropic-ai/claude-code", "@anthropic-ai/claude-code-linux-x64"),
    "codex": ("@openai/codex", "@openai/codex-linux-x64"),
}
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
        self._versions = 0
        self.use(OLDEST_CLIS)

    def use(self, folder: Path) -> None:
        """Switch a link to this version, in one step, as an update does.

        What it leads to is a new file each time: a program that is known to be good is not tried again.
        """
        self._versions += 1
        version = self.path.with_name(f"version-{self._versions}")
        version.write_text(f'#!/bin/sh\nexec {folder / self.path.name} "$@"\n')
        version.chmod(0o755)
        self.link(version)

    def link(self, program: Path) -> None:
        draft = self.path.with_name("draft")
        draft.symlink_to(program)
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


class Packages:
    """Real packages of a CLI in a folder of npm, which are replaced as npm does it.

    They are hard links, so that the folder is beside the packages themselves.
    """

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder = folder / "node_modules"
        self._names = PACKAGES[backend]
        self._old: list[Path] = []
        self.programs = self._folder / ".bin"
        self.programs.mkdir(parents=True)
        self.install(OLDEST_CLIS.parent)
        program = PROGRAMS[backend]
        (self.programs / program).symlink_to((OLDEST_CLIS / program).readlink())

    def install(self, modules: Path) -> None:
        for name in self._names:
            shutil.copytree(modules / name, self._folder / name, copy_function=os.link, symlinks=True)

    def set_aside(self) -> None:
        """Rename the packages, so that they are missing until the new ones are there."""
        for name in self._names:
            package = self._folder / name
            self._old.append(package.rename(package.with_name(f".{package.name}-Ab3dE5")))

    def remove_old(self) -> None:
        for package in self._old:
            shutil.rmtree(package)


@pytest.fixture
def packages(backend: str) -> Iterator[Packages]:
    with tempfile.TemporaryDirectory(prefix="npm-", dir=PROJECT / ".tools") as folder:
        yield Packages(Path(folder), backend)


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


def test_a_cut_program_holds_its_runs_until_it_is_whole(world: World, backend: str) -> None:
    place = Place(world, backend)
    place.succeed()
    place.bin.cut()
    run = place.start()
    reason = place.wait_for_reason(run, "Held:", f"last good: {place.bin.old}")
    assert "login" not in reason.lower()
    assert world.api.get(f"/api/tasks/{run['task']}")["status"] == "queued"
    place.bin.use(NEWEST_CLIS)
    assert world.api.wait_for_run(run["id"])["state"] == "succeeded"


def test_a_program_that_is_gone_holds_its_runs_until_it_is_back(world: World, backend: str) -> None:
    place = Place(world, backend)
    place.environment["PATH"] = f"{place.bin.path.parent}:{'/usr/bin:/bin'}"
    world.api.patch(f"/api/workspaces/{place.workspace}", {"environment": place.environment})
    place.succeed()
    before = place.trials()
    good = place.bin.path.readlink()
    place.bin.path.unlink()
    run = place.start()
    place.wait_for_reason(run, "Held:", "is gone", f"last good: {place.bin.old}")
    place.bin.link(good)
    assert world.api.wait_for_run(run["id"])["state"] == "succeeded"
    assert place.trials() == before  # it is the good one again


def test_a_version_that_hangs_is_held_and_a_person_may_start_it_anyway(world: World) -> None:
    place = Place(world, "claude_code")
    place.succeed()
    place.bin.write(HANGS)
    run = place.start()
    reason = place.wait_for_reason(run, "Held:", "9.9.9", "within 6 s", f"last good: {place.bin.old}")
    state = state_of(place)
    assert (state["state"], state["version"], state["good_version"]) == ("held", "9.9.9", place.bin.old)
    assert state["reason"] in reason
    path = f"/api/workspaces/{place.workspace}/clis/claude_code"
    world.api.post(f"{path}/start-anyway", {"program": state["program"]})
    wait_for(lambda: world.api.run(run["id"])["cli_version"] == "9.9.9", 60, "the start with the new version")
    world.api.post(f"/api/tasks/{run['task']}/cancel")
    assert world.api.wait_for_run(run["id"])["state"] == "cancelled"


def test_a_version_that_is_too_old_is_held_with_its_words(world: World) -> None:
    place = Place(world, "claude_code")
    place.succeed()
    place.bin.write(TOO_OLD)
    run = place.start()
    place.wait_for_reason(run, "Held:", "is too old", "needs an update", f"last good: {place.bin.old}")
    place.bin.use(NEWEST_CLIS)
    assert world.api.wait_for_run(run["id"])["state"] == "succeeded"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("@login", "login", marks=pytest.mark.nightly),
        pytest.param("@error 429", "limit", marks=pytest.mark.nightly),
        ("@error 500", "server"),
    ],
)
def test_what_is_not_the_versions_fault_does_not_hold_its_runs(
    world: World, backend: str, script: str, code: str
) -> None:
    place = Place(world, backend)
    place.succeed()
    place.bin.use(NEWEST_CLIS)
    world.endpoint.scripts[PROMPT] = script
    try:
        run = place.succeed()
    finally:
        world.endpoint.scripts.clear()
    assert run["cli_version"] == place.bin.new
    state = state_of(place)
    assert state["tried_at"] is not None
    assert (state["state"], state["good_version"]) == ("good", place.bin.new)  # the run has proved it


def test_a_service_that_hangs_is_told_from_a_version_that_does(world: World, backend: str) -> None:
    """The last good version, which is still there, does not finish a turn now, either."""
    place = Place(world, backend)
    place.succeed()
    place.bin.use(NEWEST_CLIS)
    world.endpoint.scripts[PROMPT] = "@delay 60"
    try:
        run = place.succeed()
    finally:
        world.endpoint.scripts.clear()
    assert (run["cli_version"], state_of(place)["tried_at"] is None) == (place.bin.new, False)


def test_an_update_by_npm_in_mid_run_disturbs_neither_this_run_nor_the_next(
    world: World, backend: str, packages: Packages
) -> None:
    """Without a sandbox, whose helper is a program of Codex's package: Codex asks if it has gone."""
    place = Place(world, backend, permission_mode="full")
    place.environment["PATH"] = f"{packages.programs}:/usr/bin:/bin"
    world.api.patch(f"/api/workspaces/{place.workspace}", {"environment": place.environment})
    place.succeed()
    gate, before = world.app.folder / f"gate-{backend}", place.trials()
    waits = f"@bash until [ -e {gate} ]; do sleep 0.1; done"
    run = place.start(f"{waits}\n@write a.txt b\n@bash git status\n@text over")
    wait_for(lambda: world.events(run, "tool"), 60, "the first command")
    packages.set_aside()
    following = place.start()
    place.wait_for_reason(following, "Held:", "is gone", f"last good: {place.bin.old}")
    packages.install(NEWEST_CLIS.parent)
    packages.remove_old()
    gate.touch()
    ended = [world.api.wait_for_run(each["id"]) for each in (run, following)]
    assert [each["state"] for each in ended] == ["succeeded"] * 2, [each["reason"] for each in ended]
    assert [each["cli_version"] for each in ended] == [place.bin.old, place.bin.new]
    assert world.show(run, "a.txt") == "b"
    assert place.trials() == before + 1


def test_a_workspace_that_does_not_want_it_starts_with_each_version(world: World, backend: str) -> None:
    place = Place(world, backend, try_changed_clis=False)
    place.succeed()
    before = place.trials()
    place.bin.use(NEWEST_CLIS)
    assert (place.succeed()["cli_version"], place.trials()) == (place.bin.new, before)


def state_of(place: Place) -> dict[str, Any]:
    rows = place.world.api.get(f"/api/workspaces/{place.workspace}/clis")
    (state,) = [row for row in rows if row["backend"] == place.backend]
    return dict(state)
