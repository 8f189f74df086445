"""A command that a user copies does what it says, whatever names are in it."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.lib.shell import command_line

NAMES = [
    *("a b", "x;id>/tmp/p;#", "'", '"$(id)"', "`id`", "$HOME", "-rf", "a\nb"),
    *("\x1b]0;x\x07", "\u202egnp", "é", ""),
]


@pytest.mark.parametrize("name", NAMES)
def test_bash_reads_each_name_as_one_word(name: str) -> None:
    done = subprocess.run(
        ["bash", "-c", command_line("printf", "%s", name)], capture_output=True, check=True, timeout=10
    )
    assert done.stdout.decode() == name


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=200)
def test_what_is_shown_has_no_hidden_character_and_printable_names_survive(name: str) -> None:
    line = command_line("echo", name)
    assert line.isprintable()
    if name.isprintable():
        assert shlex.split(line) == ["echo", name]
