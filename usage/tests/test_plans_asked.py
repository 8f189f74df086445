"""Both real CLIs with invented logins, asked how full their plans are; their services answer on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.chatgpt_service import ChatGptService
from aitask.tests.lab.cli_home import make_cli_home
from aitask.tests.lab.plan_service import PlanService, write_login
from aitask.tests.lab.tools import require_tool
from workspaces.hostkit import processes
from workspaces.hostkit.serve.limits import limits
from workspaces.hostkit.serve.requests import Request

pytestmark = pytest.mark.cli

REFUSAL = '{"type":"control_response","response":{"subtype":"error","request_id":"limits","error":"unknown"}}'
OLDER = """#!/bin/sh
if [ "$1" = -p ]; then read request; echo '%s'; exit; fi
exec %s "$@"
"""


@dataclass
class Host:
    """One home with a login, and the state folder of hostkit."""

    folder: Path
    service: PlanService
    environment: dict[str, str]
    login: Path

    def ask(self, backend: str = "claude_code") -> Any:
        return limits({"environment": self.environment}, Request(1, "limits", {}, lambda *_: None))[backend]

    def make_claude_older(self) -> None:
        """A version that does not know the question, else the real one."""
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "claude").write_text(OLDER % (REFUSAL, require_tool("claude")))
        (programs / "claude").chmod(0o755)
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    require_tool("claude")
    require_tool("tmux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    home = make_cli_home(tmp_path / "home", "http://127.0.0.1:9", login="none")
    login = write_login(tmp_path / "home" / ".claude")
    with PlanService(tmp_path) as service:
        environment = {**home.environment, **service.environment}
        # With it claude asks nothing of its service; no other host can be reached through this proxy.
        del environment["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"], environment["ANTHROPIC_BASE_URL"]
        yield Host(tmp_path, service, environment, login)


def test_the_control_request_tells_the_windows_of_the_login(host: Host) -> None:
    said = host.ask()
    assert (said["error"], said["account"], said["way"]) == (None, "max", "asked")
    assert {each["window"]: each["used_percent"] for each in said["windows"]} == {
        "five_hour": 91.0,
        "seven_day": 33.0,
        "seven_day_sonnet": 12.0,
    }


def test_a_service_that_fails_is_an_error_in_words(host: Host) -> None:
    host.service.status = 500
    assert "could not be reached" in host.ask()["error"]


def test_an_older_claude_is_read_off_its_screen_and_leaves_nothing(host: Host) -> None:
    host.make_claude_older()
    before = host.login.read_bytes()
    said = host.ask()
    assert (said["error"], said["account"], said["way"]) == (None, "max", "screen")
    assert {each["window"]: each["used_percent"] for each in said["windows"]} == {
        "five_hour": 91.0,
        "seven_day": 33.0,
        "seven_day_sonnet": 12.0,
    }
    resets = {each["window"]: each["resets_at"][:16] for each in said["windows"]}
    assert resets["five_hour"] == host.service.windows["five_hour"]["resets_at"][:16]
    assert host.login.read_bytes() == before
    assert list((host.folder / "temporary").iterdir()) == []
    assert not (host.folder / "state" / "aitask" / "asking").exists()
    assert not list((host.folder / "home" / ".claude").glob("projects/**/*.jsonl"))
    assert not [pid for pid in processes.all_pids() if _is_of(pid, host.folder)]


def _is_of(pid: int, folder: Path) -> bool:
    try:
        return str(folder / "home").encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def test_a_screen_without_a_login_is_an_honest_error(host: Host) -> None:
    host.make_claude_older()
    host.login.unlink()
    said = host.ask()
    assert said["windows"] == []
    assert said["error"].startswith("claude did not report its limits (unknown). claude's screen shows no")


def test_codex_tells_the_windows_of_its_login(host: Host) -> None:
    require_tool("codex")
    with ChatGptService() as service:
        login = service.write_login(host.folder / "home" / ".codex")
        before = login.read_bytes()
        said = host.ask("codex")
    assert (said["error"], said["account"], said["way"]) == (None, "plus", "asked")
    assert [(each["window"], each["used_percent"]) for each in said["windows"]] == [
        ("five_hour", 42),
        ("seven_day", 17),
    ]
    assert login.read_bytes() == before
