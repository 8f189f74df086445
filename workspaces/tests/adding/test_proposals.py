"""Commands that are proposed for a repository: fixed ones, from the names of its files."""

from __future__ import annotations

import pytest

from workspaces.adding import proposals

LOCKS = {
    "package-lock.json": "npm ci",
    "pnpm-lock.yaml": "pnpm install --frozen-lockfile",
    "yarn.lock": "yarn install --frozen-lockfile",
    "bun.lockb": "bun install --frozen-lockfile",
}


@pytest.mark.parametrize(("lock", "command"), LOCKS.items())
def test_the_lock_file_decides_how_packages_are_installed(lock: str, command: str) -> None:
    found = proposals.setup_commands({"package.json": "{}", lock: ""})
    assert [proposal.command for proposal in found] == [command]


@pytest.mark.parametrize(
    ("files", "setup", "check"),
    [
        ({}, [], []),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, ["npm install"], ["npm test"]),
        ({"pyproject.toml": '[dev]\n"pytest"', "uv.lock": ""}, ["uv sync"], ["uv run pytest"]),
        ({"Cargo.toml": "", "Cargo.lock": ""}, ["cargo fetch --locked"], ["cargo test --locked"]),
        ({"go.mod": "module x"}, ["go mod download"], ["go test ./..."]),
        ({"Makefile": "all: x\ntest : all\n"}, [], ["make test"]),
        ({"Makefile": "test:\ncheck: test\n"}, [], ["make check"]),
        ({"Makefile": "check := 1\n"}, [], []),
        ({"Makefile": "test:\n", "go.mod": ""}, ["go mod download"], ["make test", "go test ./..."]),
    ],
)
def test_each_kind_of_repository_gets_its_commands(
    files: dict[str, str], setup: list[str], check: list[str]
) -> None:
    assert [proposal.command for proposal in proposals.setup_commands(files)] == setup
    assert [proposal.command for proposal in proposals.check_commands(files)] == check


@pytest.mark.parametrize(
    "package",
    [
        *("", "[", "[]", "{" * 100_000),
        *('{"scripts": []}', '{"scripts": {"test": 1}}', '{"scripts": {"test": ""}}'),
        '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}',
    ],
)
def test_a_package_without_tests_proposes_none(package: str) -> None:
    assert proposals.check_commands({"package.json": package}) == []


def test_nothing_that_a_file_says_becomes_a_command() -> None:
    hostile = {"package.json": '{"scripts": {"test; rm -rf ~": "x", "test": "$(rm -rf ~)"}}'}
    hostile |= {"Makefile": "test$(shell rm -rf ~):\ncheck: x; rm -rf ~\n"}
    found = [*proposals.setup_commands(hostile), *proposals.check_commands(hostile)]
    assert [proposal.command for proposal in found] == ["npm install", "make check", "npm test"]
