"""Pictures that an agent has read or made, as they are found in the lines of its CLI."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from typing import Any, Iterator, Optional

MAX_PICTURE = 8 << 20
"""Bytes of a picture that is shown."""
MOST = 20
"""Pictures of one result."""


def type_of(content: bytes) -> str:
    """Return the media type of a picture that browsers show; empty if it is none."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return ""


def pictures_in(content: Any) -> Iterator[bytes]:
    """Yield the pictures among the blocks of a tool's result, of Claude Code or of an MCP server."""
    blocks = content if isinstance(content, list) else []
    for block in [each for each in blocks if isinstance(each, dict) and each.get("type") == "image"][:MOST]:
        source = block.get("source")
        data = source.get("data") if isinstance(source, dict) else block.get("data")
        found = decoded(data)
        if found:
            yield found


def decoded(data: object) -> Optional[bytes]:
    """Return the bytes of a text in base64; None if it is none, or too large."""
    if not isinstance(data, str) or len(data) > MAX_PICTURE * 4 // 3 + 4:
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def picture_at(path: object) -> Optional[bytes]:
    """Return the content of a file that an agent has looked at; None if it is no picture, or too large."""
    try:
        handle = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as source:
            known = os.fstat(handle)
            if not stat.S_ISREG(known.st_mode) or known.st_size > MAX_PICTURE:
                return None
            content = source.read(MAX_PICTURE)
    except (OSError, ValueError):
        return None
    return content if type_of(content) else None
