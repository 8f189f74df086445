"""What is seen in the output as it passes: modes that tmux 3.3 does not tell of, and names of windows."""

from __future__ import annotations

import re

SEEN = re.compile(rb"\x1b(?:\[\?(?P<modes>[\d;]+)(?P<on>[hl])|\[(?P<shape>[0-6]) q|(?P<reset>c))")
KEPT = {b"1004", b"2004"}
NAME, STRING = b"\x1bk", b"\x1b_"
"""What begins a window's name, and what begins a string that no terminal shows."""
LONGEST = 40
"""Bytes of a sequence that is cut; programs switch a few modes at once."""


class Modes:
    """Bracketed paste, focus reports and the cursor's shape of one pane."""

    def __init__(self) -> None:
        self._on: set[bytes] = set()
        self._shape = b""
        self._tail = b""

    def see(self, data: bytes) -> None:
        """Take note of what a chunk of output switches; a sequence may be split between two."""
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
        """What brings a fresh terminal into these modes."""
        shape = b"\x1b[%s q" % self._shape if self._shape else b""
        return b"".join(b"\x1b[?%sh" % mode for mode in sorted(self._on)) + shape


class Names:
    """Names of windows in the output of a pane, which shells give inside tmux: `ESC k`, the name, `ESC` and a
    backslash."""

    def __init__(self) -> None:
        self._is_begun = False

    def hidden(self, data: bytes) -> bytes:
        """The same for a terminal that does not know them, as xterm.js: it would print each name."""
        if self._is_begun and data[:1] == b"k":
            data = b"_" + data[1:]
        self._is_begun = data.endswith(b"\x1b")
        return data.replace(NAME, STRING)
