"""The user's day on a Windows laptop, in its order: from the set-up link to Ctrl-C.

The server is Linux, with the real CLIs, and reached by `ssh cloud`. The tests share the laptop and its tasks.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from aitask.tests.lab.app import App
from aitask.tests.lab.client import ApiError
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import missing
from aitask.tests.lab.wait import wait_for
from terminal.tests.socket_client import TerminalClient

from .computer import Computer
from .laptop import Laptop

pytestmark = [pytest.mark.windows, pytest.mark.server]
MEBIBYTES = 600
STOP_SECONDS = 6.0
START_SECONDS = 30.0
"""15 s on a quiet machine: in Wine, each look at a file takes 0.8 ms."""


@dataclass
class Desk:
    """The laptop, the server, and what the user has there."""

    laptop: Laptop
    server: SshLab
    endpoint: ScriptedEndpoint

    @cached_property
    def repo(self) -> Path:
        return self.server.make_repo()

    @cached_property
    def environment(self) -> dict[str, str]:
        return self.server.make_cli_home(self.endpoint.url).environment

    @cached_property
    def workspace(self) -> Any:
        fields = {"environment": self.environment, "permission_mode": "full"}
        fields |= {"kind": "ssh", "ssh_host": "cloud"}
        return self.laptop.api.add_workspace("cloud", str(self.repo), **fields)

    def start(self, prompt: str, backend: str = "codex") -> Any:
        """Write a task and start it; return the run."""
        task = self.laptop.api.add_task(self.workspace["id"], prompt, backend)
        return self.laptop.api.run_task(task["id"])

    def succeed(self, prompt: str, backend: str = "codex") -> Any:
        """Start a task and wait until it has succeeded; return the run."""
        run = self.laptop.api.wait_for_run(self.start(prompt, backend)["id"])
        assert run["state"] == "succeeded", run["reason"]
        return run

    def sessions(self) -> list[str]:
        """Return the names of the tmux sessions on the server."""
        command = f"tmux -S {self.server.tmux_socket} list-sessions -F '#{{session_name}}'"
        return self.server.ssh("cloud-direct", command).stdout.split()

    def git(self, *words: str) -> str:
        return git(self.repo, *words)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    folder = os.environ.get("AITASK_TEST_WINDOWS")
    if not folder or not shutil.which("wine"):
        missing("there is no Windows computer; `bash .ci/windows` makes one")
    with ScriptedEndpoint() as endpoint, SshLab() as server, Laptop(Computer(Path(folder)), server) as laptop:
        laptop.up()
        laptop.set_up()
        yield Desk(laptop, server, endpoint)
        print(laptop.log[-10_000:])


def test_the_setup_link_makes_an_administrator_who_sees_the_board(desk: Desk) -> None:
    assert "Log out" in desk.laptop.login.get("/")


def test_a_workspace_by_its_alias_passes_the_doctor(desk: Desk) -> None:
    checks = desk.laptop.api.post(f"/api/workspaces/{desk.workspace['id']}/check")
    assert [check for check in checks if not check["ok"]] == []


def test_a_workspace_on_the_laptop_itself_is_refused(desk: Desk) -> None:
    with pytest.raises(ApiError, match="422"):
        desk.laptop.api.add_workspace("here", "C:\\src")


@pytest.mark.parametrize("backend", ["claude_code", "codex"])
def test_a_run_of_each_cli_succeeds_and_its_tokens_are_counted(desk: Desk, backend: str) -> None:
    run = desk.succeed("@write hello.txt Grüße\n@text Done.", backend)
    assert run["output_tokens"] == desk.endpoint.ledger.total(run["cli_session"]).output_tokens


def test_keys_reach_the_terminal_on_the_server(desk: Desk) -> None:
    run = desk.succeed("@text Done.")
    terminal = open_terminal(desk, run["task"])
    terminal.type(b"echo $((20 * 21))-ok\r")
    terminal.until_text("420-ok")
    terminal.close()


def test_the_review_shows_what_the_agent_wrote(desk: Desk) -> None:
    run = desk.succeed("@write umlaut.txt Zürich\n@text Done.")
    (file,) = json.loads(desk.laptop.login.get(f"/tasks/{run['task']}/diff"))["files"]
    rows = desk.laptop.login.get(f"/tasks/{run['task']}/diff/file?{urlencode({'key': file['key']})}")
    assert "Zürich" in rows


def test_a_command_merges_three_tasks_and_prints_its_signs_into_a_pipe(desk: Desk) -> None:
    runs = [desk.start(f"@write part-{number}.txt {number}\n@text Done.") for number in range(3)]
    tasks = [str(desk.laptop.api.wait_for_run(run["id"])["task"]) for run in runs]
    chosen = [word for task in tasks for word in ("--task", task)]
    output = desk.laptop.manage("merge_worktrees", "--workspace", "cloud", *chosen)
    assert output.count("✓") >= 3
    assert {"part-0.txt", "part-1.txt", "part-2.txt"} <= set(
        desk.git("ls-tree", "--name-only", "main").split()
    )


def test_usage_has_the_runs_of_the_day(desk: Desk) -> None:
    totals = desk.laptop.api.get("/api/usage")["totals"]
    assert totals["runs"] >= 2
    assert totals["output_tokens"] > 0


def test_all_processes_together_need_little_memory(desk: Desk) -> None:
    assert desk.laptop.memory() <= MEBIBYTES


def test_the_queue_goes_on_after_the_worker_was_killed(desk: Desk) -> None:
    old = desk.laptop.kill("worker")
    desk.laptop.wait_for_restart("worker", old)
    desk.succeed("@text Done.")


def test_ctrl_c_leaves_a_run_to_the_server_and_the_next_start_takes_it_up(desk: Desk) -> None:
    laptop = desk.laptop
    gate = desk.server.account.home / "go-on"
    run = desk.start(f"@words 30 0.05 {gate}\n@text Done.")
    laptop.api.wait_for_run(run["id"], {"running"})
    began = time.monotonic()
    assert laptop.press_ctrl_c() == 0
    assert time.monotonic() - began < STOP_SECONDS
    wait_for(lambda: not laptop.processes(), 10, "the end of all processes on the laptop")
    began = time.monotonic()
    laptop.up()
    assert time.monotonic() - began < START_SECONDS
    gate.touch()
    assert laptop.api.wait_for_run(run["id"])["state"] == "succeeded"
    events = laptop.api.events(run["id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_an_installation_on_linux_shares_the_kit_and_leaves_the_laptops_sessions_alone(desk: Desk) -> None:
    kept = desk.succeed("@text Done.")
    with App({"SSH_CONFIG": str(desk.server.config)}) as other:
        other.start()
        fields = {"kind": "ssh", "ssh_host": "cloud-direct", "environment": desk.environment}
        workspace = other.api.add_workspace("cloud", str(desk.repo), **fields)
        task = other.api.add_task(workspace["id"], "@text Done.", "codex")
        run = other.api.wait_for_run(other.api.run_task(task["id"])["id"])
        assert run["state"] == "succeeded", run["reason"]
        both = {kept["tmux_session"], run["tmux_session"]}
        assert both <= set(desk.sessions())
        other.manage("prune_worktrees", "--workspace", "cloud", "--yes")
        other.api.delete(f"/api/tasks/{task['id']}")
        assert kept["tmux_session"] in desk.sessions()
    kits = desk.server.account.home.rglob("hostkit-*.pyz")
    assert len({path.name.partition(".")[0] for path in kits}) == 1


def test_nothing_failed_in_the_log_and_no_sign_was_lost(desk: Desk) -> None:
    assert "Traceback" not in desk.laptop.log
    assert "\ufffd" not in desk.laptop.log


def test_nothing_stays_when_up_is_killed(desk: Desk) -> None:
    desk.laptop.kill("up")
    wait_for(lambda: not desk.laptop.processes(), 10, "the end of all processes on the laptop")


def open_terminal(desk: Desk, task: int) -> TerminalClient:
    path, cookie = f"/api/tasks/{task}/terminal", desk.laptop.login.cookie_header
    return TerminalClient(desk.laptop.port, path, cookie, cols=80, rows=24)
