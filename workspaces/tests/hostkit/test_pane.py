from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from workspaces.hostkit.run.pane import PaneWriter, clipped, plain
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
