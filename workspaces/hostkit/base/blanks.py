"""Takes the contents of files out of a CLI's transcript, and leaves everything else in it as it is.

The transcript is a person's file, and a CLI may have it open. So it keeps its lines and its size: only the
characters of pictures and documents are replaced, in place. A picture or a PDF becomes an empty one of its
type, so that the person can still resume the session: services refuse a conversation with a broken one.
"""

from __future__ import annotations

import base64
import binascii
import mmap
import os
import re
import stat
from pathlib import Path
from typing import Optional

from .pictures import type_of

BLANK = b"A"
"""A character of base64, of a text, and of a JSON string, whatever stands before it."""
CONTENT = re.compile(
    # A picture or a PDF in base64, also within a text that is JSON itself.
    rb"""\\*"(?:data|base64)\\*"\s*:\s*\\*"([A-Za-z0-9+/=]{41,})"""
    # The address of a picture that is its own content.
    rb"""|"data:[a-z]+/[a-z0-9.+-]+;base64,([A-Za-z0-9+/=]{41,})"""
    # A text that was given as a document. Escapes are two characters: the second is never taken for an end.
    rb"""|"media_type"\s*:\s*"text/plain"\s*,\s*"data"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)\"""",
    re.DOTALL,
)
PICTURES = tuple(
    base64.b64decode(picture)
    for picture in (
        "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQAAAAA3iMLMAAAAD0lEQVR42mP8z8DEQAICADIBAR/gNlhXAAAAAElFTkSuQmCC",
        (
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////"
            "////////////////////////wAALCAAQABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAAAAAA"
            "AAAA/9oACAEBAAA/AKAP/9k="
        ),
        "R0lGODdhEAAQAIEAAP///wAAAAAAAAAAACwAAAAAEAAQAEAIHQABCBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFgQEBADs=",
        "UklGRh4AAABXRUJQVlA4TBEAAAAvD8ADAAfQ//73v/+BiOh/AAA=",
    )
)
"""A white PNG, JPEG, GIF and WebP of 16 × 16 pixels. Readers of these ignore what follows the picture."""
HEAD = 32
"""Characters that show the type of a content in base64."""
PAGE = (
    b"1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n",
    b"2 0 obj\n<</Type /Pages /Kids [3 0 R] /Count 1>>\nendobj\n",
    b"3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] /Resources <<>>>>\nendobj\n",
)
"""The objects of a PDF with an empty page."""


def blank_contents(path: Path) -> None:
    """Replace the contents of files in a transcript. Raises OSError."""
    handle = os.open(str(path), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "r+b") as file:
        known = os.fstat(handle)
        if not stat.S_ISREG(known.st_mode) or not known.st_size:
            return
        with mmap.mmap(handle, known.st_size) as content:
            for found in CONTENT.finditer(content):
                start, end = found.span(found.lastindex or 0)
                head, tail = content[start : start + HEAD], content[end - 2 : end]
                content[start:end] = _blank(head, tail, end - start)
            content.flush()
        file.flush()
    os.utime(str(path), ns=(known.st_atime_ns, known.st_mtime_ns))  # CLIs tidy up by age


def _blank(head: bytes, tail: bytes, length: int) -> bytes:
    """Return as many characters: an empty file of the type that the first ones show, if they show one."""
    empty = _empty_file(head, length // 4 * 3 - tail.count(b"=")) if length % 4 == 0 else None
    return base64.b64encode(empty) if empty else BLANK * length


def _empty_file(head: bytes, size: int) -> Optional[bytes]:
    """Return an empty picture or PDF of this size; None for another type, and if it does not fit."""
    try:
        begins = base64.b64decode(head)
    except binascii.Error:
        return None
    if begins.startswith(b"%PDF-"):
        return _empty_pdf(size)
    media_type = type_of(begins)
    same = next((each for each in PICTURES if media_type and type_of(each) == media_type), None)
    return same.ljust(size, b"\0") if same and len(same) <= size else None


def _empty_pdf(size: int) -> Optional[bytes]:
    """Return a PDF with an empty page. A comment before its objects fills it up."""
    length = len(_pdf_with(b""))
    return _pdf_with(b"%".ljust(size - length - 1, b"0") + b"\n") if length + 2 <= size else None


def _pdf_with(comment: bytes) -> bytes:
    made, places = b"%PDF-1.4\n" + comment, b""
    for each in PAGE:
        places += b"%010d 00000 n \n" % len(made)
        made += each
    count = len(PAGE) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d /Root 1 0 R>>\n" % (count, places, count)
    return made + table + b"startxref\n%010d\n%%%%EOF\n" % len(made)
