"""How hostkit gets onto a host: what the remote command does under each shell and with each Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from workspaces import hosts
from workspaces.hosts import bootstrap
from workspaces.hosts.bootstrap import Kit

pytestmark = pytest.mark.server

KIT = Kit("hostkit-0123.pyz", b"import sys\nprint('served', sys.argv[1:])\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The only folder of the PATH: sh, tail, and whichever python3 a test puts there."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("sh", "tail"):
        (path / tool).symlink_to(str(shutil.which(tool)))
    return path


def add_python(folder: Path, script: str) -> None:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def land(folder: Path, kit: Kit = KIT, command: str = "", shell: str = "/bin/sh") -> list[str]:
    """The lines that the remote command prints when it is given the kit."""
    environment = {"HOME": str(folder.parent), "PATH": str(folder), "SHELL": "/bin/false"}
    words = [shell, "-c", command or kit.remote_command()]
    done = subprocess.run(
        words, env=environment, input=kit.content, capture_output=True, timeout=20, check=False
    )
    return done.stdout.decode().split("\n")


def real_python(folder: Path) -> None:
    (folder / "python3").symlink_to("/usr/bin/python3")


def without_usual_places() -> str:
    """The command of a host where no other python3 lies about."""
    command = KIT.remote_command()
    for place in ("/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"):
        command = command.replace(place, "/nonexistent/python3")
    return command


def test_what_is_not_there_is_brought_and_then_served(folder: Path) -> None:
    real_python(folder)

    assert land(folder) == ["", f"aitask {KIT.nonce} need", "served ['serve']", ""]


def test_what_is_there_is_served_at_once(folder: Path) -> None:
    real_python(folder)
    land(folder)

    assert land(folder)[1] == f"aitask {KIT.nonce} have"


def test_what_is_damaged_is_brought_again(folder: Path) -> None:
    real_python(folder)
    land(folder)
    (folder.parent / ".local/state/aitask/hostkit" / KIT.name).write_text("damaged")

    assert land(folder)[1:3] == [f"aitask {KIT.nonce} need", "served ['serve']"]


def test_a_host_without_python_says_so(folder: Path) -> None:
    assert land(folder, command=without_usual_places()) == ["", f"aitask {KIT.nonce} nopython", ""]


def test_a_host_with_an_old_python_tells_which(folder: Path) -> None:
    add_python(folder, "echo 3.6.9 False")

    assert land(folder, command=without_usual_places())[1] == f"aitask {KIT.nonce} nopython python3 3.6.9"


def test_a_home_that_cannot_be_written_to_says_why(folder: Path) -> None:
    real_python(folder)
    (folder.parent / ".local").touch()

    assert "Not a directory" in land(folder)[3]


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh", "csh", "zsh"])
def test_the_command_means_the_same_to_every_shell(folder: Path, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    real_python(folder)

    assert land(folder, shell=path)[1:3] == [f"aitask {KIT.nonce} need", "served ['serve']"]


def test_the_command_has_nothing_that_shells_read_in_different_ways() -> None:
    command = KIT.remote_command()

    assert command.count("'") == 2
    assert not set(command) & set("!\\\n\r\t")
    assert all(" " <= character <= "~" for character in command)


@pytest.mark.parametrize(
    ("word", "code", "reason"),
    [
        ("nopython", "no_python", "has no python3"),
        ("nopython python3 3.6.9", "no_python", "only an old Python: python3 3.6.9"),
        ("failed disk full", "remote_failed", "disk full"),
        (None, "remote_failed", "This account is closed"),
    ],
)
def test_each_refusal_is_a_sentence(word: str | None, code: str, reason: str) -> None:
    error = bootstrap._refusal(word, "cloud", "This account is closed")

    assert isinstance(error, hosts.HostError)
    assert error.code == code
    assert reason in error.reason
    assert error.hint
