"""`models`: what the CLIs of a host offer, in their own words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.cli_home import CliHome
from aitask.tests.lab.tools import require_tool
from workspaces.tests.fake_clis import fake_claude, fake_codex

from .client import Serve

SYSTEM = "/usr/bin:/bin"


@pytest.fixture
def host(tmp_path: Path, pyz: Path) -> Iterator[Callable[[], Serve]]:
    """Starts `serve` on a host whose CLIs lie in `tmp_path/bin`."""
    started: list[Serve] = []
    (tmp_path / "home").mkdir(exist_ok=True)

    def start() -> Serve:
        environment = {
            "HOME": str(tmp_path / "home"),
            "PATH": f"{tmp_path / 'bin'}:{SYSTEM}",
            "SHELL": "/bin/sh",
        }
        started.append(Serve(pyz, environment))
        return started[-1]

    yield start
    for serve in started:
        serve.close()


def ids(answer: Any) -> list[str]:
    return [model["id"] for model in answer["models"]]


def test_both_clis_are_asked_and_hidden_models_left_out(host: Callable[[], Serve], tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "default", "opus[1m]", version="9.1.0")
    fake_codex(tmp_path / "bin", ["gpt-a", ".secret"], ["gpt-b"], version="0.900.0")
    answer = host().call("models")
    assert ids(answer["claude_code"]) == ["default", "opus[1m]"]
    assert ids(answer["codex"]) == ["gpt-a", "gpt-b"]
    assert [answer[name]["version"] for name in ("claude_code", "codex")] == ["9.1.0", "0.900.0"]
    assert [model["is_default"] for model in answer["codex"]["models"]] == [True, False]
    assert answer["codex"]["models"][0]["reasoning_efforts"] == [{"id": "low", "description": "Quick"}]
    assert [answer[name]["logged_in"] for name in ("claude_code", "codex")] == [True, True]


def test_a_cli_that_is_not_there_says_so_and_does_not_disturb_the_other(
    host: Callable[[], Serve], tmp_path: Path
) -> None:
    fake_codex(tmp_path / "bin", ["gpt-a"])
    answer = host().call("models")
    assert answer["claude_code"]["path"] is None
    assert "not installed" in answer["claude_code"]["error"]
    assert ids(answer["codex"]) == ["gpt-a"]


def test_a_broken_cli_is_quoted(host: Callable[[], Serve], tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "default", behaviour="breaks")
    answer = host().call("models")["claude_code"]
    assert answer["models"] == []
    assert "it is broken today" in answer["error"]


@pytest.mark.slow
def test_a_silent_cli_is_given_up_after_ten_seconds(host: Callable[[], Serve], tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "default", behaviour="is silent")
    fake_codex(tmp_path / "bin", ["gpt-a"])
    answer = host().call("models")
    assert "did not answer in time" in answer["claude_code"]["error"]
    assert 9.5 < answer["claude_code"]["seconds"] < 13
    assert answer["codex"]["seconds"] < 8


def test_what_a_cli_started_ends_with_it(host: Callable[[], Serve], tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "default", behaviour="leaves a child")
    mark = str(tmp_path / "home")
    serve = host()
    assert ids(serve.call("models")["claude_code"]) == ["default"]
    left = [pid for pid in processes.with_variable("HOME", mark) if "600.125" in processes.command_of(pid)]
    assert left == []


def test_a_cli_whose_files_are_the_same_is_not_started_again(
    host: Callable[[], Serve], tmp_path: Path
) -> None:
    cli = fake_claude(tmp_path / "bin", "default")
    serve = host()
    known = {"claude_code": serve.call("models")["claude_code"]["fingerprint"]}
    assert serve.call("models", known=known)["claude_code"]["unchanged"] is True
    assert cli.times_run == 1
    fake_claude(tmp_path / "bin", "default", "fable")
    assert ids(serve.call("models", known=known)["claude_code"]) == ["default", "fable"]


def test_a_login_is_a_reason_to_ask_again(host: Callable[[], Serve], tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "default")
    serve = host()
    known = {"claude_code": serve.call("models")["claude_code"]["fingerprint"]}
    (tmp_path / "home" / ".claude").mkdir()
    (tmp_path / "home" / ".claude" / ".credentials.json").write_text("{}")
    assert "unchanged" not in serve.call("models", known=known)["claude_code"]


def test_the_variables_of_a_workspace_lead_to_its_own_cli(host: Callable[[], Serve], tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "default")
    fake_claude(tmp_path / "other", "only-there")
    own = {"PATH": f"{tmp_path / 'other'}:{SYSTEM}"}
    assert ids(host().call("models", environment=own)["claude_code"]) == ["only-there"]


@pytest.mark.cli
class TestTheRealClis:
    """Ids and efforts are byte for byte what the CLI itself answers."""

    @pytest.fixture
    def answer(self, pyz: Path, cli_home: CliHome) -> Iterator[Any]:
        for tool in ("claude", "codex"):
            require_tool(tool)
        serve = Serve(pyz, cli_home.environment | {"SHELL": "/bin/sh"})
        yield serve.call("models")
        serve.close()

    def test_claude(self, answer: Any, cli_home: CliHome, tmp_path: Path) -> None:
        words = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        question = {"type": "control_request", "request_id": "q", "request": {"subtype": "initialize"}}
        lines = asked(["claude", *words], [question], cli_home, tmp_path)
        raw = next(line for line in lines if line["type"] == "control_response")["response"]["response"]
        mine = [(m["id"], [e["id"] for e in m["reasoning_efforts"]]) for m in answer["claude_code"]["models"]]
        assert mine == [(m["value"], m.get("supportedEffortLevels", [])) for m in raw["models"]]
        assert answer["claude_code"]["account"] == raw["account"]["apiKeySource"]

    def test_codex(self, answer: Any, cli_home: CliHome, tmp_path: Path) -> None:
        hello = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "1"}}}
        question = {"id": 2, "method": "model/list", "params": {}}
        lines = asked(
            ["codex", "app-server"], [hello, {"method": "initialized"}, question], cli_home, tmp_path
        )
        raw = next(line for line in lines if line.get("id") == 2)["result"]
        shown = [model for model in raw["data"] if not model["hidden"]]
        mine = [
            (m["id"], [e["id"] for e in m["reasoning_efforts"]], m["default_reasoning_effort"])
            for m in answer["codex"]["models"]
        ]
        assert raw["nextCursor"] is None
        assert mine == [
            (
                m["id"],
                [e["reasoningEffort"] for e in m["supportedReasoningEfforts"]],
                m["defaultReasoningEffort"],
            )
            for m in shown
        ]


def asked(argv: list[str], questions: list[Any], home: CliHome, folder: Path) -> Iterator[Any]:
    """What a CLI says, line by line, until the caller has enough."""
    process = subprocess.Popen(
        [require_tool(argv[0]), *argv[1:]],
        env=home.environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(b"".join(json.dumps(question).encode() + b"\n" for question in questions))
        process.stdin.flush()
        for line in process.stdout:
            yield json.loads(line)
    finally:
        process.kill()
        process.wait()
