"""`commands` and `list_files`: what can be completed in messages, in the CLIs' own words and by git."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.cli_home import CliHome
from aitask.tests.lab.repos import git, make_repo
from aitask.tests.lab.tools import require_tool
from workspaces.hostkit.agents.claude_code.commands import SlashCommands, offered
from workspaces.hostkit.agents.codex import skills

from .client import Bench, Refused, Serve
from .replay import Json, claude

HEAD = "---\ndescription: {}\nargument-hint: <where>\n---\nDo it.\n"
SKILL = "---\nname: {0}\ndescription: Skill {0}\n---\nDo it.\n"
TRAP = {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch {}"}]}]}}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with commands and skills of both CLIs, in a commit."""
    repo = make_repo(tmp_path / "repo")
    write(repo / ".claude/commands/deploy.md", HEAD.format("Deploy it"))
    write(repo / ".claude/commands/ops/restart.md", HEAD.format("Restart it"))
    write(repo / ".claude/skills/audit/SKILL.md", SKILL.format("audit"))
    write(repo / ".agents/skills/tidy/SKILL.md", SKILL.format("tidy"))
    trap = json.dumps(TRAP).replace("{}", str(tmp_path / "trapped"))
    write(repo / ".claude/settings.json", trap)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Commands")
    return repo


@pytest.fixture
def host(pyz: Path, cli_home: CliHome) -> Iterator[Serve]:
    require_tool("claude"), require_tool("codex")
    client = Serve(pyz, {**cli_home.environment, "SHELL": "/bin/sh"})
    yield client
    client.close()


def ask(serve: Serve, repo: Path, backend: str, *, commit: str = "", known: str = "") -> Any:
    params: Json = {"backend": backend, "path": str(repo), "commit": commit, "known": known}
    return serve.call("commands", environment={}, **params)


def names(answer: Any) -> set[str]:
    assert answer["error"] is None
    return {item["insert"] for item in answer["items"]}


class TestCommands:
    pytestmark = pytest.mark.cli

    def test_claude_lists_those_of_the_project_and_its_own(self, host: Serve, repo: Path) -> None:
        answer = ask(host, repo, "claude_code")
        assert {"/deploy", "/ops:restart", "/audit", "/code-review", "/compact"} <= names(answer)
        assert not {"/clear", "/model", "/effort"} & names(answer)
        deploy = next(item for item in answer["items"] if item["name"] == "deploy")
        assert deploy["description"].startswith("Deploy it")
        assert deploy["hint"] == "<where>"

    def test_codex_lists_skills_by_what_puts_them_into_a_message(self, host: Serve, repo: Path) -> None:
        assert {"$tidy", "$skill-creator"} <= names(ask(host, repo, "codex"))

    def test_a_commit_has_the_commands_of_then(self, host: Serve, repo: Path) -> None:
        write(repo / ".claude/commands/later.md", HEAD.format("Later"))
        assert "/later" in names(ask(host, repo, "claude_code"))
        assert "/later" not in names(found := ask(host, repo, "claude_code", commit="main"))
        assert "/deploy" in names(found)

    def test_the_programs_of_a_project_are_not_run(self, host: Serve, repo: Path, tmp_path: Path) -> None:
        ask(host, repo, "claude_code")
        assert not (tmp_path / "trapped").exists()

    def test_nothing_is_asked_until_a_command_changes(self, host: Serve, repo: Path) -> None:
        known = ask(host, repo, "codex")["fingerprint"]
        again = ask(host, repo, "codex", known=known)
        assert again["unchanged"]
        assert again["items"] == []
        write(repo / ".agents/skills/new/SKILL.md", SKILL.format("new"))
        assert "$new" in names(ask(host, repo, "codex", known=known))

    def test_a_link_out_of_the_worktree_is_left_out(self, host: Serve, repo: Path, tmp_path: Path) -> None:
        write(tmp_path / "outside/evil/SKILL.md", SKILL.format("evil"))
        (repo / ".codex").mkdir()
        (repo / ".codex/skills").symlink_to(tmp_path / "outside")
        (repo / ".agents/skills/one.md").symlink_to(tmp_path / "outside/evil/SKILL.md")
        answer = ask(host, repo, "codex")
        assert "$evil" not in names(answer)
        assert answer["left_out"] == 1


@pytest.mark.cli
class TestInRuns:
    def committed(self, bench: Bench) -> None:
        write(
            bench.repo / ".claude/commands/deploy.md",
            "---\ndescription: D\n---\n@text Deployed $ARGUMENTS.\n",
        )
        write(bench.repo / ".agents/skills/tidy/SKILL.md", SKILL.format("tidy"))
        git(bench.repo, "add", "-A")
        git(bench.repo, "commit", "-q", "-m", "Commands")

    def test_a_prompt_that_is_a_command_runs_it(self, bench: Bench) -> None:
        self.committed(bench)
        run = bench.start("claude_code", "/deploy to the moon")
        assert run.outcome()["state"] == "succeeded"
        assert run.wait_event("text")["text"].strip() == "Deployed to the moon."
        assert run.wait_event("message")["text"] == "/deploy to the moon"

    def test_a_skill_of_codex_is_put_into_the_message(self, bench: Bench) -> None:
        self.committed(bench)
        run = bench.start("codex", "$tidy the room.\n@text ok")
        session = run.outcome()["cli_session"]
        home = Path(bench.environment["CODEX_HOME"])
        rollout = next(home.rglob(f"rollout-*{session}.jsonl")).read_text()
        assert "<skill>\\n<name>tidy</name>" in rollout


def test_a_cli_that_is_not_there_says_so(serve: Serve, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    params: Json = {"backend": "codex", "path": str(repo), "commit": "", "known": ""}
    answer = serve.call("commands", environment=environment, **params)
    assert "not installed" in answer["error"]
    assert serve.call("commands", environment={}, **{**params, "backend": "nobody"})["error"]


class TestFiles:
    def ask(self, serve: Serve, repo: Path, *, commit: str = "", known: str = "") -> Any:
        return serve.call("list_files", path=str(repo), commit=commit, known=known)

    def test_tracked_and_new_files_but_no_ignored_ones(self, serve: Serve, repo: Path) -> None:
        write(repo / "new file.txt", "")
        write(repo / ".gitignore", ".env\n")
        write(repo / ".env", "SECRET=1")
        found = set(self.ask(serve, repo)["names"])
        assert {"src/main.py", "new file.txt", ".gitignore"} <= found
        assert ".env" not in found
        assert "new file.txt" not in self.ask(serve, repo, commit="main")["names"]

    def test_names_that_no_message_can_hold_are_left_out(self, serve: Serve, repo: Path) -> None:
        for name in ("a\nb", 'quo"te', "esc\x1b[31m", "gpj.\u202exe", "ä ö.txt"):
            write(repo / name, "")
        with open(os.fsencode(repo / "bytes") + b"\xff", "w"):
            pass
        found = self.ask(serve, repo)
        assert found["left_out"] == 5
        assert "ä ö.txt" in found["names"]

    def test_an_unchanged_list_is_not_sent_again(self, serve: Serve, repo: Path) -> None:
        digest = self.ask(serve, repo)["digest"]
        again = self.ask(serve, repo, known=digest)
        assert again["unchanged"]
        assert again["names"] == []

    def test_a_commit_can_be_no_option_of_git(self, serve: Serve, repo: Path) -> None:
        with pytest.raises(Refused, match="is no commit"):
            self.ask(serve, repo, commit="--output=/tmp/x")
        with pytest.raises(Refused, match="could not list"):
            self.ask(serve, repo, commit="no-such-branch")


class TestSlashes:
    def given(self, *learned: object) -> SlashCommands:
        commands = SlashCommands()
        commands.learn([*learned])
        return commands

    def test_known_commands_are_sent_as_they_are(self) -> None:
        commands = self.given("deploy", {"name": "code-review", "aliases": ["review"]})
        for text in ("/deploy prod", "/review", "/code-review\nmore"):
            assert commands.as_text(text, is_first=True) == text

    @pytest.mark.parametrize("text", ["/etc/passwd is wrong", "/deployed", "/", "//deploy", "/clear", "/x y"])
    def test_all_else_that_begins_with_a_slash_is_text(self, text: str) -> None:
        commands = self.given("deploy", "clear", None, 5, {"name": ["x"], "aliases": {"y": 1}}, "etc/passwd")
        assert commands.as_text(text, is_first=True) == f" {text}"

    def test_a_new_session_has_nothing_to_compact(self) -> None:
        commands = self.given("compact")
        assert commands.as_text("/compact", is_first=True) == " /compact"
        assert commands.as_text("/compact", is_first=False) == "/compact"

    def test_malformed_lists_are_no_commands(self) -> None:
        listed = {"commands": [None, 5, {}, {"name": "a b"}, {"name": "ok", "description": None}]}
        assert [item["name"] for item in offered({"response": listed})] == ["ok"]
        answer = {"result": {"data": [{"skills": [None, {"name": "a b"}, {"name": "ok"}]}]}}
        assert [item["name"] for item in skills.offered(answer)] == ["ok"]

    def test_a_prompt_with_a_slash_waits_for_the_list(self) -> None:
        agent, tape = claude()
        agent.begin("/deploy prod")
        request = tape.sent[-1]
        assert request["request"] == {"subtype": "initialize"}
        body = {"commands": [{"name": "deploy"}]}
        response = {"subtype": "success", "request_id": request["request_id"], "response": body}
        agent.feed({"type": "control_response", "response": response})
        assert tape.sent[-1]["message"]["content"][0]["text"] == "/deploy prod"
