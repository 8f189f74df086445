"""What is printed never stops the program that prints it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from aitask.lib import printer
from aitask.lib.printer import LinePrinter, LogFile


def test_characters_that_the_encoding_lacks_become_escapes() -> None:
    raw = io.BytesIO()
    output = LinePrinter(io.TextIOWrapper(raw, encoding="cp1252", newline="\n"))
    output.line("✓ Grüße \ufffd")
    output.line("plain")
    assert raw.getvalue() == b"\\u2713 Gr\\xfc\\xdfe \\ufffd\nplain\n"


def test_a_reader_that_has_ended_is_no_error() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as stream:
        output = LinePrinter(stream)
        for number in range(3):
            output.line(f"line {number}")
        stream.write("and the stream itself can be closed")


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    stream.close()
    LinePrinter(stream).line("x")


def test_a_log_file_keeps_the_last_lines_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer, "LOG_BYTES", 2_000)
    output = LinePrinter(LogFile(tmp_path / "up.log"))
    for number in range(1_000):
        output.line(f"line {number} ✓")
    written = [file.read_text(encoding="utf-8") for file in sorted(tmp_path.iterdir())]
    assert written[0].endswith("line 999 ✓\n")
    assert sum(map(len, written)) < 4_100
    LinePrinter(LogFile(tmp_path / "up.log")).line("another start")
    assert (tmp_path / "up.log").read_text(encoding="utf-8").count("\n") > 1


def test_a_log_file_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    LinePrinter(LogFile(tmp_path / "gone" / "up.log")).line("x")
