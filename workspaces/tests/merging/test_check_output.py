"""What a check printed, as it is stored and shown."""

from __future__ import annotations

from workspaces.merging.checks import plain


def test_output_is_shown_without_what_only_a_terminal_understands() -> None:
    assert plain("\x1b[1;31mred\x1b[0m \x1b]0;title\x07ok\r\n") == "red ok\n"
    assert plain("10 %\r50 %\r100 %\r\ndone\x07") == "100 %\ndone"
