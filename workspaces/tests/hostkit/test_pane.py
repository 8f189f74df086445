from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from workspaces.hostkit.run.keyboard import Keyboard
from workspaces.hostkit.run.pane import SHOWN_INPUT, PaneWriter, clipped, plain
from workspaces.hostkit.wire import RunEvent


def shown(tmp_path: Path, *events: dict[str, object]) -> str:
    pane = PaneWriter(tmp_path / "terminal.raw")
    for event in events:
        pane.show(cast("RunEvent", event))
    pane.detach()
    return (tmp_path / "terminal.raw").read_text().replace("\r\n", "\n")


@pytest.mark.parametrize("text", ["\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "\r\x00\x08", "\x7f"])
def test_the_models_text_cannot_drive_the_terminal(text: str) -> None:
    assert not set(plain(f"a{text}b")) & {chr(code) for code in [*range(9), *range(11, 32), *range(127, 160)]}


def test_newlines_tabs_and_other_scripts_stay() -> None:
    assert plain("a\tb\nü 🎉\r\nc") == "a\tb\nü 🎉\nc"


def test_a_long_output_is_clipped_and_says_so() -> None:
    assert clipped("\n".join("abcde"), 2) == "a\nb\n… 3 more lines"


def test_a_run_reads_like_a_conversation(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        {"kind": "message", "text": "do it"},
        {"kind": "text", "text": "I will."},
        {"kind": "tool", "name": "Bash", "title": "make\x1b[2J"},
        {"kind": "tool_result", "output": "ok", "is_error": False},
        {"kind": "usage", "input_tokens": 1},
        {"kind": "error", "text": "no more", "retrying": False},
    )
    assert text == "> do it\n\nI will.\n▸ Bash  make[2J\n  ok\n! no more\n"


def test_a_request_says_how_to_answer_it(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        {"kind": "request", "request_kind": "approval", "tool": "Bash", "title": "rm x", "reason": "why"},
        {"kind": "request_closed", "decision": "deny", "by": "keyboard", "text": "no"},
    )
    assert "? Bash  rm x" in text
    assert "/y allows" in text
    assert "deny (keyboard): no" in text


def test_a_request_shows_every_field_and_what_can_not_be_seen(tmp_path: Path) -> None:
    given = {"command": "echo hi \x1b]0;x; rm -rf ~\x07", "timeout": 5, "note\u200b": ["a\u202eb"]}
    event = {"kind": "request", "id": "r", "request_kind": "approval", "tool": "Bash", "title": "echo hi"}
    text = shown(tmp_path, {**event, "input": given, "cwd": "/w\x9b"})
    for part in (
        "command: echo hi \\x1b]0;x; rm -rf ~\\x07",
        "timeout: 5",
        'note\\u200b: ["a\\u202eb"]',
        "/w\\u009b",
    ):
        assert part in text


def test_a_long_request_is_allowed_after_all_of_it_was_printed(tmp_path: Path) -> None:
    long = "x" * SHOWN_INPUT + "; rm -rf ~"
    pane = PaneWriter(tmp_path / "terminal.raw")
    sent: list[object] = []
    event = {"kind": "request", "id": "r", "request_kind": "approval", "tool": "Bash", "title": "x"}
    agent = SimpleNamespace(requests={"r": SimpleNamespace(event=event)})
    commands = SimpleNamespace(runner=SimpleNamespace(agent=agent), handle=lambda said, *_: sent.append(said))
    keyboard = Keyboard(commands, pane)  # type: ignore[arg-type]
    pane.show(cast("RunEvent", {**event, "input": {"command": long}}))
    for line in ("/y", "/a"):
        keyboard.line(line)
    assert sent == []
    keyboard.line("/show")
    keyboard.line("/y")
    pane.detach()
    assert sent == [{"command": "approve", "request": "r"}]
    assert "rm -rf ~" in (tmp_path / "terminal.raw").read_text()
