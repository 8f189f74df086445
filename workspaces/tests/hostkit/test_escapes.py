"""Text of agents on a page: nothing is hidden, nothing is lost, and it can be read back."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspaces.hostkit.escapes import prose, unescape, visible

CALM = settings(deadline=None, max_examples=60)
CHARS = [chr(code) for code in range(sys.maxunicode + 1)]
ANY = st.text(st.characters(exclude_categories=()))
TRICKY = st.text("\\xuU0123456789abcdefABCDEF \t\n\r\x1b\x07\u202e\u200d\ufe0f\udcff\ud83d👩❤#⃣")


@CALM
@given(ANY | TRICKY)
@example("\\x1b \\\\x1b \x1b \\\x1b \\\\\x1b \\u202e\u202e \\xff\udcff \\U000e0041 \\u001b \\x41")
def test_every_text_can_be_read_back(text: str) -> None:
    assert unescape(visible(text)) == text


@CALM
@given(ANY | TRICKY)
def test_no_two_texts_look_alike(text: str) -> None:
    for other in (text.replace("\x1b", "\\x1b"), text.replace("\\x1b", "\x1b"), text.replace("\\", "\\\\")):
        assert (visible(text) == visible(other)) == (text == other)


@CALM
@given(ANY | TRICKY)
def test_what_is_shown_has_no_control_and_nothing_unseen(text: str) -> None:
    for char in visible(text).replace("\ufe0f", "").replace("\u200d", ""):
        assert char in "\t\n " or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")


def test_all_characters_of_the_unseen_categories_are_escaped() -> None:
    unseen = [char for char in CHARS if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")]
    left = [char for char in unseen if visible(char) == char]
    assert sorted(left) == ["\t", "\n", " "]


@pytest.mark.parametrize(
    "char", ["\u034f", "\u115f", "\u17b4", "\u180b", "\u2800", "\u3164", "\ufe0f", "\uffa0"]
)
def test_letters_that_show_nothing_are_escaped(char: str) -> None:
    assert visible(f"a{char}b") == f"a\\u{ord(char):04x}b"


@pytest.mark.parametrize(
    "text", ["❤️", "👩‍💻", "👨‍👩‍👧", "❤️‍🔥", "1️⃣", "✔️ done", "日本語", "naïve", "C:\\users\\x", "\\n"]
)
def test_what_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm\u00a0-rf", "rm\\u00a0-rf"),
        ("a\u200db", "a\\u200db"),
        ("x\ufe0f", "x\\ufe0f"),
        ("👍\ufe0f\ufe0f", "👍\ufe0f\\ufe0f"),
        ("hi\U000e0061", "hi\\U000e0061"),
        ("a\rb\r\n", "a\\x0db\\x0d\n"),
        ("\x85", "\\u0085"),
        ("\udc85", "\\x85"),
        ("printf '\\x1b[0m'", "printf '\\\\x1b[0m'"),
        ("\\u001b \\x41 \\xzz", "\\u001b \\x41 \\xzz"),
    ],
)
def test_escapes_are_those_of_python(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_prose_keeps_typographic_spaces_and_its_own_backslashes() -> None:
    assert prose("5\u202f000 \\x1b\r\n\x1b\u202e") == "5\u202f000 \\x1b\n\\x1b\\u202e"


@pytest.mark.parametrize(
    "text", ["\\" * 300_000, "\\" * 300_000 + "x1b", "\x1b" * 300_000, "❤\ufe0f" * 150_000]
)
def test_long_runs_take_no_longer_than_others(text: str) -> None:
    began = time.process_time()
    assert unescape(visible(text)) == text
    assert time.process_time() - began < 5
