"""A run that starts while an update replaces its CLI waits and tries again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aitask.tests.lab.wait import wait_for

from .test_guard import Prepare
from .test_guard import guarded as guarded

pytestmark = pytest.mark.server
BROKEN = "#!/bin/sh\nsleep 0.2; echo 'Cannot find module' >&2; exit 1\n"


@pytest.fixture
def program(guarded: Prepare, tmp_path: Path) -> Path:
    return tmp_path / "tools/claude"


def replace_soon(program: Path, content: bytes, seconds: float = 1.0) -> threading.Timer:
    """Put the whole program there again after a moment, in one step."""

    def replace() -> None:
        draft = program.with_name("draft")
        draft.write_bytes(content)
        draft.chmod(0o755)
        draft.replace(program)

    timer = threading.Timer(seconds, replace)
    timer.start()
    return timer


def test_a_program_that_is_missing_for_a_moment_is_waited_for(guarded: Prepare, program: Path) -> None:
    content = program.read_bytes()
    program.unlink()
    replace_soon(program, content)
    assert guarded(replaced_seconds=30).run("go")["state"] == "succeeded"


def test_a_program_that_is_being_written_is_waited_for(guarded: Prepare, program: Path) -> None:
    content = program.read_bytes()
    program.write_bytes(b"\x00half a program")  # exec format error
    replace_soon(program, content)
    assert guarded(replaced_seconds=30).run("go")["state"] == "succeeded"


def test_a_program_that_is_still_open_for_writing_is_waited_for(guarded: Prepare, program: Path) -> None:
    writer = program.open("r+b")  # text file busy
    threading.Timer(1.0, writer.close).start()
    assert guarded(replaced_seconds=30).run("go")["state"] == "succeeded"


def test_a_program_that_dies_at_its_start_and_is_replaced_starts_once_more(
    guarded: Prepare, program: Path
) -> None:
    content, started = program.read_bytes(), program.with_name("started")
    program.write_text(f"#!/bin/sh\ntouch {started}\nsleep 1\nexit 1\n")
    threading.Thread(target=lambda: (wait_for(started.exists, 60), replace_soon(program, content, 0))).start()
    run = guarded(replaced_seconds=30)
    assert run.run("go")["state"] == "succeeded"
    assert [event["text"] for event in run.events() if event["kind"] == "message"] == ["go"]
    assert any("was replaced" in str(event.get("text")) for event in run.events())


def test_a_program_that_stays_broken_fails_with_its_words(guarded: Prepare, program: Path) -> None:
    program.write_text(BROKEN)
    outcome = guarded(replaced_seconds=30).run("go")
    assert (outcome["state"], outcome["reason_code"]) == ("failed", "cli_died")
    assert "Cannot find module" in outcome["reason"]
