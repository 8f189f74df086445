"""Which settings in a worktree count as something that agents run or obey without asking."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import pytest

from workspaces.hostkit.serve.agent_settings import agent_settings
from workspaces.hostkit.serve.requests import Request
from workspaces.hostkit.wire import AgentSettings

HOOK = {"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": "sh x.sh"}]}]}}


def read(folder: Path) -> AgentSettings:
    return agent_settings({"path": str(folder)}, cast("Request", None))


def names(folder: Path) -> list[str]:
    return [file["name"] for file in read(folder)["files"]]


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".claude/settings.json", json.dumps(HOOK)),
        (".claude/settings.local.json", '{"permissions": {"allow": ["Bash(curl:*)"]}}'),
        (".claude/settings.json", '{"permissions": {"deny": [], "defaultMode": "bypassPermissions"}}'),
        (".claude/settings.json", '{"apiKeyHelper": "sh x"}'),
        (".claude/settings.json", '{"env": {"NODE_OPTIONS": "--require ./x.js"}}'),
        (".claude/settings.json", '{"aKeyOfNextYear": "x"}'),
        (".claude/settings.json", "not JSON"),
        (".claude/settings.json", "[" * 10000),
        (".mcp.json", '{"mcpServers": {"x": {"command": "sh"}}}'),
        (".codex/config.toml", '# c\n[mcp_servers.x]\ncommand = "sh"\n'),
        (".codex/hooks.json", "{}"),
        (".codex/rules/default.rules", 'prefix_rule(pattern=["sh"], decision="allow")'),
        (".claude/hooks/lint.sh", "#!/bin/sh\ntrue\n"),
        (".claude/skills/deploy/SKILL.md", "---\nname: x\nhooks:\n  Stop: x\n---\n"),
        (".claude/commands/x.md", "Status: !`git status`"),
    ],
)
def test_what_runs_or_allows_something_counts(tmp_path: Path, name: str, text: str) -> None:
    put(tmp_path, name, text)
    assert names(tmp_path) == [name]
    assert read(tmp_path)["digest"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "hooks: none"),
        (
            ".claude/settings.json",
            '{"$schema": "x", "model": "m", "hooks": {}, "permissions": {"deny": ["Read(.env)"]}}',
        ),
        (".claude/agents/reviewer.md", "---\nname: reviewer\n---\nLook at the hooks of this code."),
        (".mcp.json", '{"mcpServers": {}}'),
        (".codex/config.toml", "# nothing\n\n"),
    ],
)
def test_what_runs_nothing_does_not_count(tmp_path: Path, name: str, text: str) -> None:
    put(tmp_path, name, text)
    assert (names(tmp_path), read(tmp_path)["digest"]) == ([], "")


def test_each_change_of_the_content_changes_the_digest(tmp_path: Path) -> None:
    put(tmp_path, ".claude/settings.json", json.dumps(HOOK))
    seen = [read(tmp_path)["digest"]]
    put(tmp_path, ".claude/hooks/x.sh", "true\n")
    seen.append(read(tmp_path)["digest"])
    put(tmp_path, ".claude/hooks/x.sh", "false\n")
    seen.append(read(tmp_path)["digest"])
    (tmp_path / ".claude/hooks/x.sh").rename(tmp_path / ".claude/hooks/y.sh")
    seen.append(read(tmp_path)["digest"])
    assert len(set(seen)) == 4
    put(tmp_path, "src/main.py", "x\n")
    assert read(tmp_path)["digest"] == seen[-1]


@pytest.mark.parametrize("link", [".claude", ".mcp.json", ".codex", ".claude/hooks", ".claude/skills/x"])
def test_links_count_and_are_not_followed(tmp_path: Path, link: str) -> None:
    (tmp_path / "tree" / link).parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path, "elsewhere/settings.json", "secret")
    (tmp_path / "tree" / link).symlink_to(tmp_path / "elsewhere")
    (found,) = read(tmp_path / "tree")["files"]
    assert (found["name"], found["data"]) == (link, str(tmp_path / "elsewhere"))


def test_pipes_and_long_files_harm_nothing(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    os.mkfifo(tmp_path / ".claude/settings.json")
    put(tmp_path, ".mcp.json", '{"mcpServers": {}}' + " " * 400_000)
    (found,) = read(tmp_path)["files"]
    assert (found["name"], len(found["data"])) == (".mcp.json", 256 * 1024)
