"""Each CLI is a record here and a module of the same name in hostkit."""

from __future__ import annotations

import re
import string

import pytest

from aitask.tests.lab.tools import version_of
from workspaces import clis
from workspaces.hostkit import agents
from workspaces.models import Workspace


def test_every_record_has_a_module_of_the_same_name_in_hostkit_and_every_module_a_record() -> None:
    assert sorted(clis.names()) == agents.names()


def test_the_first_one_is_the_default_of_new_workspaces() -> None:
    assert Workspace().default_backend == clis.names()[0]


@pytest.mark.parametrize("cli", clis.every(), ids=lambda cli: str(cli.name))
def test_a_record_fits_the_columns_and_its_pattern_finds_a_session(cli: clis.Cli) -> None:
    assert re.fullmatch(f"[{string.ascii_lowercase}_]{{1,20}}", cli.name)
    assert cli.label
    kit = agents.get(cli.name)
    resumed = " ".join([kit.program, *kit.resume_arguments, "s-1"])
    assert re.search(cli.resume_pattern.format(session="s-1"), resumed)


def test_a_cli_of_another_version_is_shown_by_its_name() -> None:
    assert clis.find("gone") is None
    assert clis.label_of("gone") == "gone"


@pytest.mark.parametrize(("name", "key"), [("claude_code", "OLDEST_CLAUDE"), ("codex", "OLDEST_CODEX")])
def test_the_oldest_supported_version_is_the_oldest_that_is_tested(name: str, key: str) -> None:
    cli = clis.find(name)
    assert cli
    assert cli.oldest == version_of(key)
    assert not cli.is_too_old(cli.oldest)


@pytest.mark.parametrize(
    ("version", "too_old"),
    [
        ("2.1.196", True),
        ("1.99.999", True),
        ("2.1.1000", False),
        ("10.0.0-beta.1", False),
        ("2.1.197+build", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, too_old: bool) -> None:
    cli = clis.find("claude_code")
    assert cli
    assert cli.is_too_old(version) is too_old
