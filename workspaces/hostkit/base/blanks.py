"""Takes the contents of files out of a CLI's transcript, and leaves everything else in it as it is.

The transcript is a person's file, and a CLI may have it open. So it keeps its lines and its size: only the
characters of pictures and documents are replaced, in place.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
from pathlib import Path

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
                content[start:end] = BLANK * (end - start)
            content.flush()
        file.flush()
    os.utime(str(path), ns=(known.st_atime_ns, known.st_mtime_ns))  # CLIs tidy up by age
