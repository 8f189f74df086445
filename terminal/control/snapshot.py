"""The contents of a pane (history, screen, cursor and modes) as one stream of bytes for a terminal.

tmux executes a line of commands without reading output in between, and sends earlier output before the
replies. Hence nothing is lost or duplicated between a snapshot and the output after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from terminal.control.modes import NAME, STRING

FIELDS = """
    pane_id window_id pane_width pane_height history_size alternate_on alternate_saved_x alternate_saved_y
    cursor_x cursor_y cursor_flag insert_flag keypad_cursor_flag keypad_flag
    mouse_standard_flag mouse_button_flag mouse_all_flag mouse_utf8_flag mouse_sgr_flag
    origin_flag wrap_flag scroll_region_upper scroll_region_lower pane_in_mode bracket_paste_flag
""".split()  # noqa: SIM905
REPLIES = 5
FORMAT = "|".join(f"#{{{name}}}" for name in FIELDS)
SHIFT_OUT, SHIFT_IN = b"\x0e", b"\x0f"
"""tmux writes line graphics as letters between these two."""
RESET = b"\x1bc\x1b)0"
SGR = re.compile(rb"\x1b\[[0-9;:]*m")
MODES = {
    "keypad_cursor_flag": b"\x1b[?1h",
    "keypad_flag": b"\x1b=",
    "insert_flag": b"\x1b[4h",
    "mouse_standard_flag": b"\x1b[?1000h",
    "mouse_button_flag": b"\x1b[?1002h",
    "mouse_all_flag": b"\x1b[?1003h",
    "mouse_utf8_flag": b"\x1b[?1005h",
    "mouse_sgr_flag": b"\x1b[?1006h",
    "bracket_paste_flag": b"\x1b[?2004h",
}


def request(pane: str, lines: int) -> str:
    """Return the commands that read a pane with up to `lines` lines of its history."""
    return " ; ".join(
        (
            f"display-message -p -t {pane} '{FORMAT}'",
            f"capture-pane -p -e -J -S -{lines} -E -1 -t {pane}",
            f"capture-pane -p -e -N -S 0 -t {pane}",
            f"capture-pane -p -e -N -a -q -t {pane}",
            f"capture-pane -p -P -C -t {pane}",
        )
    )


@dataclass(frozen=True)
class Snapshot:
    """The contents of a pane at one moment."""

    values: dict[str, str]
    history: Sequence[bytes]
    screen: Sequence[bytes]
    saved: Sequence[bytes]
    "The primary screen while the alternate one is shown."
    pending: bytes
    "An incomplete escape sequence at the end of the output."

    @classmethod
    def of(cls, replies: Sequence[Sequence[bytes]]) -> Snapshot:
        """Create a snapshot from the replies to `request`. Raises ValueError if the pane does not exist."""
        parts = replies[0][0].decode().split("|") if replies[0] else []
        if len(parts) != len(FIELDS) or not parts[0]:
            raise ValueError("The pane does not exist.")
        values = dict(zip(FIELDS, parts, strict=True))
        history = replies[1] if int(values["history_size"] or 0) else ()
        pending = _unescaped(b"\n".join(replies[4])).replace(NAME, STRING)
        return cls(values, history, replies[2], replies[3], pending)

    def number(self, name: str) -> int:
        return int(self.values[name] or 0)

    def is_on(self, name: str) -> bool:
        return self.values[name] == "1"

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.number("pane_width"), self.number("pane_height")

    def paint(self, modes: bytes = b"") -> bytes:
        """Return the bytes of a full repaint. `modes` has sequences for modes that tmux does not report."""
        alternate = self.is_on("alternate_on")
        primary = self._rows(self.saved if alternate else self.screen)
        # History and screen come from separate commands, so colours do not continue from one to the other.
        parts = [RESET, b"\r\n".join(painted(lines) for lines in (self.history, primary) if lines)]
        if alternate:
            parts += [self._at("alternate_saved_x", "alternate_saved_y"), b"\x1b[?1049h\x1b[H"]
            parts.append(painted(self._rows(self.screen)))
        return b"".join([*parts, self._graphics(), self._modes(), modes, self._cursor(), self.pending])

    def _rows(self, lines: Sequence[bytes]) -> list[bytes]:
        """Cut or pad the lines to the height of the screen."""
        rows = self.number("pane_height")
        return [*lines[:rows], *[b""] * (rows - len(lines))]

    def _graphics(self) -> bytes:
        """Reset G1 to ASCII unless the screen uses line graphics, which a program selects only once."""
        return b"" if any(SHIFT_OUT in line for line in self.screen) else b"\x1b)B"

    def _modes(self) -> bytes:
        on = b"".join(sequence for name, sequence in MODES.items() if self.is_on(name))
        upper, lower = self.number("scroll_region_upper"), self.number("scroll_region_lower")
        if (upper, lower) != (0, self.number("pane_height") - 1):
            return b"\x1b[%d;%dr" % (upper + 1, lower + 1) + on
        return on

    def _cursor(self) -> bytes:
        """Return the sequences for position and visibility of the cursor, and for wrapping.

        In origin mode, positions are relative to the scroll region.
        """
        parts, top = [], 0
        if self.is_on("origin_flag"):
            parts, top = [b"\x1b[?6h"], self.number("scroll_region_upper")
        row, column = self.number("cursor_y") - top + 1, self.number("cursor_x") + 1
        if column > self.size[0]:  # after a full line, the next character starts a new one
            lines = rendered(self._rows(self.screen))
            parts.append(b"\x1b[%dH%s" % (row, lines[self.number("cursor_y")]))
        else:
            parts.append(b"\x1b[%d;%dH" % (row, column))
        if not self.is_on("wrap_flag"):
            parts.append(b"\x1b[?7l")
        if not self.is_on("cursor_flag"):
            parts.append(b"\x1b[?25l")
        return b"".join(parts)

    def _at(self, column: str, row: str) -> bytes:
        return b"\x1b[%d;%dH" % (self.number(row) + 1, self.number(column) + 1)


def painted(lines: Sequence[bytes]) -> bytes:
    """Join rendered lines, and reset colours and character set at the end."""
    return b"\r\n".join(rendered(lines)) + b"\x1b[m" + SHIFT_IN


def rendered(lines: Sequence[bytes]) -> list[bytes]:
    """End colours at the end of each line and repeat them on the next one.

    tmux lets them continue, but a terminal that scrolls would fill the new line with the background colour.
    """
    result, running = [], b""
    for line in lines:
        found = SGR.findall(line)
        result.append(running + line + (b"\x1b[m" if found or running else b""))
        running = _still_on(running, found)
    return result


def _still_on(running: bytes, found: list[bytes]) -> bytes:
    """Return the attributes that apply after a line: all since the last reset."""
    for sequence in found:
        if sequence in (b"\x1b[m", b"\x1b[0m"):
            running = b""
        elif sequence.startswith(b"\x1b[0;"):
            running = sequence
        else:
            running += sequence
    return running


def _unescaped(data: bytes) -> bytes:
    r"""Decode the \ooo that `capture-pane -C` writes for non-printable bytes."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8) & 255]), data)
