"""All of a pane as one stream of bytes: history, screen, cursor and modes, as tmux holds them.

One line of commands is one run of tmux's queue: nothing is printed between its parts, and what was printed
before it came before its replies. Hence no loss and no duplicates between a snapshot and what follows.
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
"""Between them tmux gives line graphics as the letters that stand for them."""
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
    """The commands that read a pane with up to `lines` lines of its history."""
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
    """A pane at one moment."""

    values: dict[str, str]
    history: Sequence[bytes]
    screen: Sequence[bytes]
    saved: Sequence[bytes]
    "The primary screen while the alternate one is shown."
    pending: bytes
    "The beginning of an escape sequence that is not complete yet."

    @classmethod
    def of(cls, replies: Sequence[Sequence[bytes]]) -> Snapshot:
        """From the five replies. Raises ValueError when the pane is gone."""
        words = replies[0][0].decode().split("|") if replies[0] else []
        if len(words) != len(FIELDS) or not words[0]:
            raise ValueError("There is no such pane.")
        values = dict(zip(FIELDS, words, strict=True))
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
        """A full repaint. `modes` are sequences for what tmux can't tell, in the order they were seen."""
        alternate = self.is_on("alternate_on")
        primary = self._rows(self.saved if alternate else self.screen)
        # Each was asked for by itself: the colours that hold at the end of one do not hold in the next.
        parts = [RESET, b"\r\n".join(painted(lines) for lines in (self.history, primary) if lines)]
        if alternate:
            parts += [self._at("alternate_saved_x", "alternate_saved_y"), b"\x1b[?1049h\x1b[H"]
            parts.append(painted(self._rows(self.screen)))
        return b"".join([*parts, self._graphics(), self._modes(), modes, self._cursor(), self.pending])

    def _rows(self, lines: Sequence[bytes]) -> list[bytes]:
        """Exactly as many lines as the screen has."""
        rows = self.number("pane_height")
        return [*lines[:rows], *[b""] * (rows - len(lines))]

    def _graphics(self) -> bytes:
        """Whether G1 stays line graphics: a program that has drawn with it does not choose it again."""
        return b"" if any(SHIFT_OUT in line for line in self.screen) else b"\x1b)B"

    def _modes(self) -> bytes:
        on = b"".join(sequence for name, sequence in MODES.items() if self.is_on(name))
        upper, lower = self.number("scroll_region_upper"), self.number("scroll_region_lower")
        if (upper, lower) != (0, self.number("pane_height") - 1):
            return b"\x1b[%d;%dr" % (upper + 1, lower + 1) + on
        return on

    def _cursor(self) -> bytes:
        """Its place, which counts from the scroll region in origin mode, and whether it shows."""
        parts, top = [], 0
        if self.is_on("origin_flag"):
            parts, top = [b"\x1b[?6h"], self.number("scroll_region_upper")
        row, column = self.number("cursor_y") - top + 1, self.number("cursor_x") + 1
        if column > self.size[0]:  # behind a full line: what is printed next begins another
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
    """Lines one below the other."""
    return b"\r\n".join(rendered(lines)) + b"\x1b[m" + SHIFT_IN


def rendered(lines: Sequence[bytes]) -> list[bytes]:
    """tmux lets colours run on over lines; here they end at each line and are taken up on the next, or a
    terminal that scrolls would fill the new line with the background."""
    result, running = [], b""
    for line in lines:
        found = SGR.findall(line)
        result.append(running + line + (b"\x1b[m" if found or running else b""))
        running = _still_on(running, found)
    return result


def _still_on(running: bytes, found: list[bytes]) -> bytes:
    """The attributes that hold after a line: what came since the last reset."""
    for sequence in found:
        if sequence in (b"\x1b[m", b"\x1b[0m"):
            running = b""
        elif sequence.startswith(b"\x1b[0;"):
            running = sequence
        else:
            running += sequence
    return running


def _unescaped(data: bytes) -> bytes:
    r"""capture-pane -C writes what can't be shown as \ooo."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8) & 255]), data)
