"""Which files tools run or obey by themselves."""

from __future__ import annotations

import time

import pytest

from workspaces.git.automatic import COMMAND, that_run, why_it_runs


@pytest.mark.parametrize(
    "path",
    [
        ".claude/settings.json",
        "packages/a/.claude/hooks/after.sh",
        ".mcp.json",
        "sub/.mcp.json",
        ".codex/config.toml",
        "AGENTS.md",
        ".husky/pre-push",
        ".githooks/commit-msg",
        "lefthook.yml",
        ".gitattributes",
        "web/package.json",
        ".npmrc",
        "Makefile",
        "src/GNUmakefile",
        "justfile",
        "setup.py",
        "build.rs",
        "vite.config.ts",
        "tests/unit/conftest.py",
        "tox.ini",
        "venv/lib/evil.pth",
        "jest.config.js",
        ".github/workflows/test.yml",
        ".GitHub/Workflows/x.yml",
        "app/.github/actions/a/action.yml",
        "Dockerfile.dev",
        "docker-compose.override.yml",
        "Jenkinsfile",
        ".vscode/tasks.json",
        ".envrc",
        ".devcontainer/devcontainer.json",
    ],
)
def test_files_that_somebody_runs_are_marked(path: str) -> None:
    assert why_it_runs(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/app.py",
        "README.md",
        "tests/test_it.py",
        "docs/makefile.md",
        "claude.py",
        "my-package.json.txt",
        "a.claude/b",
        "config.ts",
    ],
)
def test_other_files_are_not(path: str) -> None:
    assert not why_it_runs(path)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("./scripts/check.sh --fast", "scripts/check.sh"),
        ("cd web && sh ../tools/a.sh; python3 ci/run.py", "ci/run.py"),
        ("CONFIG=conf/test.toml make test", "conf/test.toml"),
        ("bash 'my scripts/run it'", "my scripts/run it"),
        ("(bin/one)&&bin/two|bin/three", "bin/two"),
        ("unclosed 'quote bin/x", "bin/x"),
    ],
)
def test_what_the_commands_of_the_workspace_name_is_marked(command: str, path: str) -> None:
    assert why_it_runs(path, [command]) == COMMAND
    assert not why_it_runs(path)


def test_many_long_paths_are_looked_at_quickly() -> None:
    paths = [f"{'a/' * 200}{number}{'.config' * 50}" for number in range(2000)]
    started = time.process_time()
    assert that_run(paths) == []
    assert time.process_time() - started < 5
