"""Lines for a stream whose reader may have ended, or whose encoding may lack a character."""

from __future__ import annotations

import contextlib
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Protocol

LOG_BYTES = 5_000_000


class WritableText(Protocol):
    """A text stream, or a management command's wrapper of one."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...

    def fileno(self) -> int: ...

    def isatty(self) -> bool: ...


class LogFile:
    """Takes lines like a stream, and keeps the last megabytes of them in the file and one older one."""

    def __init__(self, path: Path) -> None:
        self._handler = RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace", delay=True
        )

    def write(self, text: str, /) -> object:
        self._handler.emit(logging.makeLogRecord({"msg": text.rstrip("\n")}))
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise OSError("a log file has no descriptor")


class LinePrinter:
    """Writes lines, and never raises: what reads them must not stop what the program does."""

    def __init__(self, stream: WritableText) -> None:
        self._stream = stream

    def line(self, text: str) -> None:
        """Write a line; with escapes for characters that the stream's encoding lacks."""
        try:
            self._write(text)
        except UnicodeError:
            self._write_escaped(text)
        except (OSError, ValueError):  # ValueError: it is closed
            self._discard()

    def _write_escaped(self, text: str) -> None:
        try:
            self._write(text.encode("ascii", "backslashreplace").decode())
        except (OSError, ValueError):
            self._discard()

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _discard(self) -> None:
        """Redirect the stream to the null device: its reader has ended, but the program goes on."""
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as null:
            os.dup2(null.fileno(), self._stream.fileno())
