"""`programs` and `try_turn`: what a CLI is, and whether it finishes a turn."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from .client import Json, Serve

pytestmark = pytest.mark.server
SYSTEM = "/usr/bin:/bin"


class Installed:
    """A folder of PATH with a stand-in for `claude`."""

    def __init__(self, folder: Path, serve: Serve) -> None:
        folder.mkdir()
        self.path = folder / "claude"
        self.serve = serve
        self.environment = {"PATH": f"{folder}:{SYSTEM}"}

    def write(self, script: str) -> None:
        draft = self.path.with_name("draft")
        draft.write_text(script)
        draft.chmod(0o755)
        draft.replace(self.path)

    def write_working(self) -> None:
        words = (Path(__file__).parent / "fake_claude.py").read_text()
        self.write(f"#!{sys.executable}\n{words}")

    def seen(self, **more: Any) -> Json:
        params = {"environment": self.environment, "backends": ["claude_code"], **more}
        found: Json = self.serve.call("programs", **params)["claude_code"]
        return found

    def tried(self, seconds: float = 3, **more: Any) -> Json:
        params = {"environment": self.environment, "backend": "claude_code", "seconds": seconds, **more}
        answer: Json = self.serve.call("try_turn", **params)
        return answer


@pytest.fixture
def installed(tmp_path: Path, serve: Serve) -> Installed:
    return Installed(tmp_path / "bin", serve)


def test_a_program_is_another_one_after_each_change_and_the_same_after_none(installed: Installed) -> None:
    assert installed.seen()["path"] is None
    installed.write("#!/bin/sh\necho 1.0.0\n")
    first = installed.seen()
    assert (first["path"], first["fingerprint"]) == (str(installed.path), installed.seen()["fingerprint"])
    installed.write("#!/bin/sh\necho 1.0.0\n")
    assert installed.seen()["fingerprint"] != first["fingerprint"]


def test_the_version_is_read_beside_the_program_or_asked_for(installed: Installed, tmp_path: Path) -> None:
    installed.write("#!/bin/sh\necho '1.2.3 (Claude Code)'\n")
    assert [installed.seen()["version"], installed.seen(ask_version=True)["version"]] == [None, "1.2.3"]
    package = tmp_path / "lib/bin"
    package.mkdir(parents=True)
    shutil.move(installed.path, package / "claude.exe")
    installed.path.symlink_to(package / "claude.exe")
    (package.parent / "package.json").write_text('{"version": "2.0.0", "bin": {"claude": "bin/claude.exe"}}')
    assert installed.seen()["version"] == "2.0.0"


@pytest.mark.parametrize(
    "manifest", ["[" * 2000, '{"bin": 1, "version": {"a": 1}}', '{"bin":1,"version":"<b>"}']
)
def test_a_strange_package_has_no_version(installed: Installed, manifest: str) -> None:
    installed.write("#!/bin/sh\n")
    (installed.path.parent / "package.json").write_text(manifest)
    assert installed.seen()["version"] is None


def test_a_turn_that_ends_well_is_ok_and_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    installed.write_working()
    left = folders()
    answer = installed.tried(seconds=20)
    assert (answer["code"], answer["fingerprint"]) == ("ok", installed.seen()["fingerprint"])
    assert folders() <= left


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("aitask-trial-*"))


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exec sleep 600", "no_beginning", "did not begin a turn within 2 s"),
        ("echo 'needs an update' >&2; exit 1", "died", "a turn (exit status 1): needs an update"),
        ("kill -SEGV $$", "died", "signal 11"),
        ("yes '[[[['", "no_beginning", "did not begin"),
        ('yes \'{"type":"result","is_error":[],"usage":3}\'', "no_beginning", "did not begin"),
    ],
)
def test_a_program_that_does_not_work_is_told_by_what_it_does(
    installed: Installed, script: str, code: str, words: str
) -> None:
    installed.write(f"#!/bin/sh\n{script}\n")
    answer = installed.tried(seconds=2)
    assert (answer["code"], words in answer["reason"]) == (code, True), answer


def test_a_program_of_another_format_can_not_be_executed(installed: Installed) -> None:
    installed.write("\x7fELF half of it")
    answer = installed.tried()
    assert (answer["code"], answer["reason"]) == (
        "no_start",
        f"{installed.path} can't be executed: Exec format error.",
    )
    assert installed.tried()["seconds"] < 3
