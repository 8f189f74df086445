"""Filters for a pane's output: track modes that tmux 3.3 does not report, and hide window names."""

from __future__ import annotations

import re

SEEN = re.compile(rb"\x1b(?:\[\?(?P<modes>[\d;]+)(?P<on>[hl])|\[(?P<shape>[0-6]) q|(?P<reset>c))")
KEPT = {b"1004", b"2004"}
NAME, STRING = b"\x1bk", b"\x1b_"
"""The sequence that starts a window name, and one that starts a string which terminals don't show (APC)."""
LONGEST = 40
"""Maximum length of a sequence split between two chunks, in bytes."""


class Modes:
    """Bracketed paste, focus reports and the cursor shape of a pane."""

    def __init__(self) -> None:
        self._on: set[bytes] = set()
        self._shape = b""
        self._tail = b""

    def see(self, data: bytes) -> None:
        """Update the modes from a chunk of output. A sequence may be split between two chunks."""
        if b"\x1b" not in data and b"\x1b" not in self._tail:
            self._tail = b""
            return
        text = self._tail + data
        end = 0
        for found in SEEN.finditer(text):
            self._switch(found)
            end = found.end()
        self._tail = text[max(end, len(text) - LONGEST) :]

    def _switch(self, found: re.Match[bytes]) -> None:
        if found["reset"]:
            self._on.clear()
            self._shape = b""
        elif found["shape"]:
            self._shape = b"" if found["shape"] == b"0" else found["shape"]
        elif found["on"] == b"h":
            self._on |= KEPT.intersection(found["modes"].split(b";"))
        else:
            self._on.difference_update(found["modes"].split(b";"))

    @property
    def sequences(self) -> bytes:
        """The sequences that set these modes in a new terminal."""
        shape = b"\x1b[%s q" % self._shape if self._shape else b""
        return b"".join(b"\x1b[?%sh" % mode for mode in sorted(self._on)) + shape


class Names:
    """Window names in the output of a pane. Shells inside tmux set them by `ESC k`, the name, `ESC \\`."""

    def __init__(self) -> None:
        self._ends_with_escape = False

    def hidden(self, data: bytes) -> bytes:
        """Return the output with names turned into strings that xterm.js ignores; it would print them."""
        if self._ends_with_escape and data[:1] == b"k":
            data = b"_" + data[1:]
        self._ends_with_escape = data.endswith(b"\x1b")
        return data.replace(NAME, STRING)
