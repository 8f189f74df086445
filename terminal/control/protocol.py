"""The protocol of `tmux -C`: a parser for its messages, and functions that build commands. No I/O."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

KEYS_AT_ONCE = 512
"""Maximum bytes of input to send as keys. More go through a paste buffer, which is forty times as fast."""
MAX_UNREAD = 32 << 20
"""Bytes of an incomplete line or of a reply. tmux's own are much shorter."""
PIECE = 8192
"""Bytes of a paste buffer per command."""


@dataclass(frozen=True, slots=True)
class Output:
    """Output of a program in a pane."""

    pane: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to one of our commands. If it failed, its lines are the error message."""

    lines: list[bytes]
    ok: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification of the tmux server: its name without `%`, and the rest of the line."""

    name: str
    rest: str


Message = Output | Reply | Notice


class NotTmux(ValueError):
    """The other side does not speak tmux's protocol. The message says why, as the end of a sentence."""


class Parser:
    """Turns chunks of bytes into messages. After NotTmux it must not be used any more."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        "Parts of an incomplete line."
        self._unread = 0
        "Bytes of an incomplete line, and of the current block."
        self._block: list[bytes] | None = None
        self._ends: tuple[bytes, bytes] = (b"", b"")
        self._is_ours = False

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that this chunk completes. Consecutive output of a pane is one message.

        Raises NotTmux.
        """
        lines = self._lines(chunk)
        pane, parts = b"", list[bytes]()
        for line in lines:
            if self._block is None and line.startswith((b"%output ", b"%extended-output ")):
                name, data = _split_output(line)
                if parts and name != pane:
                    yield _output(pane, parts)
                    parts = []
                pane = name
                parts.append(data)
                continue
            if parts:
                yield _output(pane, parts)
                parts = []
            message = self._take(line)
            if message is not None:
                yield message
        if parts:
            yield _output(pane, parts)

    def _lines(self, chunk: bytes) -> list[bytes]:
        *whole, rest = chunk.split(b"\n")
        self._unread += len(chunk)
        if whole:
            whole[0] = b"".join((*self._rest, whole[0]))
            self._rest = []
            if self._block is None:
                self._unread = len(rest)
        if rest:
            self._rest.append(rest)
        if self._unread > MAX_UNREAD:
            raise NotTmux(f"it sent {MAX_UNREAD >> 20} MB without the end of a line or a reply")
        return whole

    def _take(self, line: bytes) -> Message | None:
        """Handle a line of a block, or a notification; return a message if the line completes one.

        Text of a pane can't be mistaken for the end of a block, because the end repeats the time, number and
        flags of the beginning.
        """
        if self._block is not None:
            if line in self._ends:
                return self._end(ok=line == self._ends[0])
            self._block.append(line)
            return None
        if line.startswith(b"%begin "):
            triple = line[len(b"%begin ") :]
            self._block, self._ends = [], (b"%end " + triple, b"%error " + triple)
            self._is_ours = triple.endswith(b" 1")
            return None
        if not line.startswith(b"%"):
            return None
        name, _, rest = line[1:].decode("utf-8", "replace").partition(" ")
        return Notice(name, rest)

    def _end(self, *, ok: bool) -> Reply | None:
        lines, self._block, self._unread = self._block or [], None, 0
        return Reply(lines, ok) if self._is_ours else None


def _split_output(line: bytes) -> tuple[bytes, bytes]:
    """Return pane and data of `%output %5 data` or, with pause-after, `%extended-output %5 AGE … : data`."""
    kind, pane, *data = line.split(b" ", 2)
    if not PANE.fullmatch(pane):
        raise NotTmux(f"it sent output of the pane {pane[:20]!r}")
    rest = data[0] if data else b""
    return pane, rest if kind == b"%output" else rest.partition(b": ")[2]


def _output(pane: bytes, parts: list[bytes]) -> Output:
    data = b"".join(parts)
    if b"\\" in data:
        data = codecs.escape_decode(data)[0]
    return Output(pane.decode(), data)


PANE = re.compile(rb"%\d{1,9}")
_PLAIN = re.compile(rb"[A-Za-z0-9 _./,:=+%@-]*")
_OCTAL = [bytes([byte]) if _PLAIN.fullmatch(bytes([byte])) else b"\\%03o" % byte for byte in range(256)]


def quoted(data: bytes) -> bytes:
    """Quote bytes as an argument of a tmux command. NUL bytes are removed: arguments can't contain them."""
    return b'"' + b"".join(_OCTAL[byte] for byte in data.replace(b"\0", b"")) + b'"'


def keys(pane: str, data: bytes) -> bytes:
    """Return the command that sends these bytes as keys."""
    return b"send-keys -t %s -H %s" % (pane.encode(), data.hex(" ").encode())


def new_line(pane: str) -> str:
    """Return the command that sends ESC CR to programs that take it for a new line, and CR to all others.

    Claude Code and Codex do, also in the window of an interactive session. Codex from npm runs in `node`.
    """
    knows = "#{||:#{m:by-hand-*,#{window_name}},#{m/r:^(claude|codex|node)$,#{pane_current_command}}}"
    return f"if-shell -F -t {pane} '{knows}' 'send-keys -t {pane} -H 1b 0d' 'send-keys -t {pane} -H 0d'"


def paste(pane: str, data: bytes, *, buffer: str, bracketed: bool) -> Iterator[bytes]:
    """Yield the commands that paste these bytes. `bracketed` adds brackets if the program enabled them."""
    name = buffer.encode()
    for start in range(0, len(data), PIECE):
        yield b"set-buffer -a -b %s -- %s" % (name, quoted(data[start : start + PIECE]))
    flags = b"-p -r -d" if bracketed else b"-r -d"
    yield b"paste-buffer %s -b %s -t %s" % (flags, name, pane.encode())


def clean_paste(text: str) -> bytes:
    """Encode a pasted text: lines end with CR, and ESC is removed because it could end the brackets."""
    return text.replace("\r\n", "\r").replace("\n", "\r").replace("\x1b", "").encode("utf-8", "replace")
