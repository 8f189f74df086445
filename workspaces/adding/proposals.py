"""Proposed setup and check commands, from the names of the files that a repository has.

All commands are written here: nothing of a file becomes a part of one. A proposal is only filled in if the
user chooses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aitask.lib import untrusted_json

Files = Mapping[str, str]
"""The starts of the files at the top of a repository, by name."""


COPIED = (".env", ".env.local")
"""Files that git usually ignores, so that worktrees lack them, and that programs need."""


@dataclass(frozen=True)
class Proposal:
    """A command, and the name of the file that suggests it."""

    command: str
    reason: str


MAX_FILE_BYTES = 64 * 1024
NODE = (
    ("pnpm-lock.yaml", "pnpm", "pnpm install --frozen-lockfile"),
    ("bun.lock", "bun", "bun install --frozen-lockfile"),
    ("bun.lockb", "bun", "bun install --frozen-lockfile"),
    ("yarn.lock", "yarn", "yarn install --frozen-lockfile"),
    ("package-lock.json", "npm", "npm ci"),
    ("npm-shrinkwrap.json", "npm", "npm ci"),
    ("package.json", "npm", "npm install"),
)
"""Files of JavaScript, the program that they are for, and the setup. Only the first that exists counts."""
VENV = "python3 -m venv .venv && .venv/bin/pip install"
PYTHON = (
    ("uv.lock", "uv run ", "uv sync"),
    ("poetry.lock", "poetry run ", "poetry install"),
    ("Pipfile.lock", "pipenv run ", "pipenv sync --dev"),
    ("requirements.txt", ".venv/bin/", f"{VENV} -r requirements.txt"),
    ("pyproject.toml", ".venv/bin/", f"{VENV} -e ."),
    ("setup.py", ".venv/bin/", f"{VENV} -e ."),
)
"""Files of Python, what runs a program of the environment, and the setup."""
OTHERS = (
    ("go.mod", "go mod download", "go test ./..."),
    ("Cargo.lock", "cargo fetch --locked", "cargo test --locked"),
    ("Cargo.toml", "cargo fetch", "cargo test"),
    ("Gemfile.lock", "bundle install", "bundle exec rake test"),
    ("composer.lock", "composer install", "composer test"),
    ("mix.exs", "mix deps.get", "mix test"),
    ("gradlew", "", "./gradlew check"),
    ("pom.xml", "", "mvn -q verify"),
)
"""Files of other languages, each with its setup and check."""
SAME_LANGUAGE = {"Cargo.toml": "Cargo.lock"}
TARGETS = ("check", "test")
"""Targets of a Makefile that check, the preferred one first."""
TARGET = re.compile(r"^(check|test)[ \t]*:(?!=)", re.MULTILINE)
PYTEST = re.compile(r"\bpytest\b")
NO_TEST = "no test specified"
"""What the script says that npm writes into a new package."""
NAMES = (
    *(name for name, *_ in (*NODE, *PYTHON, *OTHERS)),
    *("Makefile", "tox.ini", "pytest.ini", "conftest.py"),
)


def setup_commands(files: Files) -> list[Proposal]:
    """Return what could make a new worktree ready, one command for each language."""
    return [*_first_setup(NODE, files), *_first_setup(PYTHON, files), *_other(files, 1)]


def check_commands(files: Files) -> list[Proposal]:
    """Return what could check a merge, the most likely one first."""
    return [*_make(files), *_node_test(files), *_python_test(files), *_other(files, 2)]


def _first_setup(table: tuple[tuple[str, str, str], ...], files: Files) -> Iterator[Proposal]:
    for name, _, command in table:
        if name in files:
            yield Proposal(command, name)
            return


def _make(files: Files) -> Iterator[Proposal]:
    found = {match[1] for match in TARGET.finditer(files.get("Makefile", ""))}
    for target in TARGETS:
        if target in found:
            yield Proposal(f"make {target}", "Makefile")
            return


def _node_test(files: Files) -> Iterator[Proposal]:
    if not _has_test_script(files.get("package.json", "")):
        return
    program = next(program for name, program, _ in NODE if name in files)
    yield Proposal("bun run test" if program == "bun" else f"{program} test", "package.json")


def _has_test_script(text: str) -> bool:
    try:
        package: Any = untrusted_json.loads(text)
    except ValueError:
        return False
    scripts = package.get("scripts") if isinstance(package, dict) else None
    script = scripts.get("test") if isinstance(scripts, dict) else None
    return isinstance(script, str) and bool(script.strip()) and NO_TEST not in script


def _python_test(files: Files) -> Iterator[Proposal]:
    prefix = next((prefix for name, prefix, _ in PYTHON if name in files), None)
    texts = (files.get(name, "") for name in ("pyproject.toml", "requirements.txt", "tox.ini"))
    if prefix is not None and (
        "pytest.ini" in files or "conftest.py" in files or any(map(PYTEST.search, texts))
    ):
        yield Proposal(f"{prefix}pytest", "pytest")
    if "tox.ini" in files:
        yield Proposal("tox", "tox.ini")


def _other(files: Files, column: int) -> Iterator[Proposal]:
    for row in OTHERS:
        if row[0] in files and row[column] and SAME_LANGUAGE.get(row[0]) not in files:
            yield Proposal(row[column], row[0])
