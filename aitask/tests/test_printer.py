"""What is printed never stops the program that prints it."""

from __future__ import annotations

import io
import os

from aitask.lib.printer import Printer


def test_characters_that_the_encoding_lacks_become_escapes() -> None:
    raw = io.BytesIO()
    output = Printer(io.TextIOWrapper(raw, encoding="cp1252", newline="\n"))
    output.line("✓ Grüße \ufffd")
    output.line("plain")
    assert raw.getvalue() == b"\\u2713 Gr\\xfc\\xdfe \\ufffd\nplain\n"


def test_a_reader_that_has_ended_is_no_error() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as stream:
        output = Printer(stream)
        for number in range(3):
            output.line(f"line {number}")
        stream.write("and the stream itself can be closed")


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    stream.close()
    Printer(stream).line("x")
