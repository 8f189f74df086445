"""What every CLI does with the files that a user gives with a prompt or a message."""

from __future__ import annotations

import os
import stat
from typing import Any, List, Optional, Sequence

from ..wire import AttachedFile, Json

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Types that models see. Others are handed over as files."""
INTRODUCTION = "The user has attached these files. They are on this machine, outside of the repository:"
SHOWN = "also shown here"
MISSING = "it could not be read"
LONG = 40
"""Characters of a text that may be the content of a file."""
LEFT_OUT = "[%d characters of a file]"


def content_of(file: AttachedFile, limit: int) -> Optional[bytes]:
    """Return the content of a file; None if it is not there as it was sent, or is larger than `limit`."""
    try:
        handle = os.open(file["path"], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as source:
            known = os.fstat(handle)
            if not stat.S_ISREG(known.st_mode) or known.st_size > limit:
                return None
            return source.read(limit)
    except OSError:
        return None


def is_picture(file: AttachedFile) -> bool:
    return file["kind"] == "picture" and file["media_type"] in PICTURES


def note_about(files: Sequence[AttachedFile], shown: Sequence[AttachedFile] = ()) -> str:
    """Return lines that tell an agent where these files are; empty if there are none."""
    if not files:
        return ""
    return "\n".join([INTRODUCTION, *(_line(file, file in shown) for file in files)])


def _line(file: AttachedFile, is_shown: bool) -> str:
    name = " ".join(file["name"].split())
    facts = [] if file["path"].endswith("/" + name) else [name]
    if is_shown:
        facts.append(SHOWN)
    elif not os.path.exists(file["path"]):  # noqa: PTH110 (nothing else is done with it)
        facts.append(MISSING)
    return "- " + file["path"] + (f" ({', '.join(facts)})" if facts else "")


def may_have_content(line: bytes) -> bool:
    """Return whether a line of a CLI may contain a file. Cheap: it is asked for every line."""
    if len(line) <= LONG:
        return False
    return b"base64" in line or b'"document"' in line


def without_content(message: Any) -> Any:
    """Return a message as it is recorded: without the contents of files, which need room and are private."""
    if isinstance(message, dict):
        return {name: _recorded(name, value, message) for name, value in message.items()}
    if isinstance(message, list):
        return [without_content(each) for each in message]
    if isinstance(message, str) and len(message) > LONG and message.startswith("data:"):
        return LEFT_OUT % len(message)
    return message


def _recorded(name: str, value: Any, whole: Json) -> Any:
    """`data` is a source of Claude Code, or of a server of tools; `base64` is what its Read tool reports."""
    is_content = name == "base64" or (name == "data" and ("media_type" in whole or "mimeType" in whole))
    if is_content and isinstance(value, str) and len(value) > LONG:
        return LEFT_OUT % len(value)
    return without_content(value)


def ids_of(files: Sequence[AttachedFile]) -> List[int]:
    return [file["id"] for file in files]
