"""Modes that tmux 3.3 does not tell of, seen in the output as it passes."""

from __future__ import annotations

import re

SEEN = re.compile(rb"\x1b(?:\[\?(?P<mode>1004|2004)(?P<on>[hl])|\[(?P<shape>[0-6]) q|(?P<reset>c))")
LONGEST = 7


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
            self._on.add(found["mode"])
        else:
            self._on.discard(found["mode"])

    @property
    def sequences(self) -> bytes:
        """What brings a fresh terminal into these modes."""
        shape = b"\x1b[%s q" % self._shape if self._shape else b""
        return b"".join(b"\x1b[?%sh" % mode for mode in sorted(self._on)) + shape
