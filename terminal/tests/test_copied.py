"""Whom tmux's new buffers are sent to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from terminal.control import copied
from terminal.control.client import ControlClient, Replies
from terminal.control.copied import MAX_COPIED, CopiedTexts, text_of
from terminal.control.panes import Pane
from terminal.control.viewer import Frame, Viewer, ViewTarget


class FakeTmux:
    """Answers `show-buffer`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def send(self, line: str, expected: int = 1, done: Callable[[Replies, str], None] | None = None) -> None:
        self.lines.append(line)
        if done:
            done([[rb"a\011\\b", b"%end 1 2 1", b""]], "")


def make_viewer(frames: list[Frame]) -> Viewer:
    viewer = Viewer(ViewTarget("aitask-1"), (80, 24), frames.append, passive=False)
    viewer.pane = cast(Pane, object())
    return viewer


def sent_to_each(*values: str, types: bool = True) -> tuple[list[Frame], list[Frame], list[str]]:
    """What two viewers get, of which the second one has typed last, and what tmux was asked."""
    first: list[Frame] = []
    second: list[Frame] = []
    tmux = FakeTmux()

    async def work() -> None:
        texts = CopiedTexts()
        viewers = [make_viewer(first), make_viewer(second)]
        for viewer in viewers if types else []:
            texts.typed(viewer)
        for value in values:
            texts.changed(cast(ControlClient, tmux), value)

    asyncio.run(work())
    return first, second, tmux.lines


def test_a_new_buffer_goes_to_the_one_who_typed_last() -> None:
    first, second, _ = sent_to_each("", "buffer0 9 100")
    assert first == []
    assert second == [{"t": "copied", "text": "a\t\\b\n%end 1 2 1\n", "size": 16}]


def test_a_buffer_from_before_is_not_news() -> None:
    assert sent_to_each("buffer3 9 100") == ([], [], [])


def test_nobody_gets_what_is_copied_when_nobody_types() -> None:
    assert sent_to_each("", "buffer0 9 100", types=False) == ([], [], [])


def test_a_key_press_of_long_ago_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copied, "TYPED_SECONDS", -1.0)
    assert sent_to_each("", "buffer0 9 100") == ([], [], [])


def test_of_a_text_that_is_too_long_only_the_size_is_sent() -> None:
    _, second, asked = sent_to_each("", f"buffer0 {MAX_COPIED + 1} 100")
    assert second == [{"t": "copied", "text": "", "size": MAX_COPIED + 1}]
    assert asked == []


@pytest.mark.parametrize("value", ["", "  ", "aitask-1 5 1", "buffer0 x 1", "buffer0", "buffer0 -5 1"])
def test_anything_else_is_ignored(value: str) -> None:
    assert sent_to_each("", value) == ([], [], [])


@pytest.mark.parametrize("lines", [[rb"\377\376"], [b"\xff"], [rb"\x"], [b"\\"]])
def test_malformed_text_is_no_error(lines: list[bytes]) -> None:
    text: Any = text_of(lines)
    assert isinstance(text, str)
